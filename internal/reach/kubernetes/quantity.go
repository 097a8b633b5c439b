package kubernetes

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Quantity is an amount: of processors in cores, of memory in bytes.
type Quantity float64

var suffixes = map[string]float64{
	"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
	"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "Pi": 1 << 50, "Ei": 1 << 60,
}

// UnmarshalJSON reads "250m", "1.5Gi", "1e3" or 2:
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/.
func (q *Quantity) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil {
		s = string(b)
	}
	v, err := ParseQuantity(s)
	*q = v
	return err
}

// ParseQuantity reads a quantity as a manifest has it.
func ParseQuantity(s string) (Quantity, error) {
	if v, err := strconv.ParseFloat(s, 64); err == nil && !math.IsInf(v, 0) && !math.IsNaN(v) && plain(s) {
		return Quantity(v), nil
	}
	digits := strings.TrimRight(s, "numkKMGTPEi")
	factor, known := suffixes[s[len(digits):]]
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || !known || !plain(digits) || math.IsInf(v*factor, 0) {
		return 0, fmt.Errorf("%.40q is no quantity: write it as 250m or 1.5Gi", s)
	}
	return Quantity(v * factor), nil
}

// plain reports whether a number is written in digits: Go also takes "0x1p4" and "Inf".
func plain(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.+-eE") == ""
}
