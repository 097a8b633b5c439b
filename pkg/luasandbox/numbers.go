package luasandbox

import (
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// numberText writes a number as Lua does: whole ones in full, others with 14 digits.
func numberText(n float64) string {
	switch {
	case math.IsNaN(n):
		return "nan"
	case math.IsInf(n, 1):
		return "inf"
	case math.IsInf(n, -1):
		return "-inf"
	case n == math.Trunc(n) && math.Abs(n) < 1<<63:
		return strconv.FormatInt(int64(n), 10)
	}
	s := strconv.FormatFloat(n, 'g', 14, 64)
	if mantissa, exponent, ok := strings.Cut(s, "e"); ok {
		if strings.Contains(mantissa, ".") {
			mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
		}
		return mantissa + "e" + exponent
	}
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// parseNumber reads a number as Lua's source and tonumber have it: decimal or
// hexadecimal, with a fraction and an exponent or without.
func parseNumber(s string) (float64, bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	digits := strings.TrimLeft(s, "+-")
	if len(digits) > 400 || len(s)-len(digits) > 1 || digits == "" || digits[0] != '.' && (digits[0] < '0' || digits[0] > '9') || strings.Contains(digits, "_") {
		return 0, false // nor Go's "inf" and "1_000"
	}
	if hex := strings.ToLower(digits); strings.HasPrefix(hex, "0x") {
		if !strings.Contains(hex, "p") {
			if v, err := strconv.ParseUint(hex[2:], 16, 64); err == nil {
				return sign(s) * float64(v), true
			}
			hex += "p0" // which Go wants
		}
		v, err := strconv.ParseFloat(hex, 64)
		return sign(s) * v, err == nil
	}
	v, err := strconv.ParseFloat(digits, 64)
	return sign(s) * v, err == nil || math.IsInf(v, 0)
}

func sign(s string) float64 {
	if strings.HasPrefix(s, "-") {
		return -1
	}
	return 1
}

// number returns a value as arithmetic takes it.
func number(v lua.LValue) (float64, bool) {
	switch v := v.(type) {
	case lua.LNumber:
		return float64(v), true
	case lua.LString:
		return parseNumber(string(v))
	}
	return 0, false
}

// text returns a value as concatenation takes it.
func text(v lua.LValue) (string, bool) {
	switch v := v.(type) {
	case lua.LNumber:
		return numberText(float64(v)), true
	case lua.LString:
		return string(v), true
	}
	return "", false
}
