package redact

// cardLength is that of 4111 1111 1111 1111.
const cardLength = 19

// findCards finds numbers of payment cards in four groups. In one piece they are
// not looked for: a tenth of all ids of sixteen figures would fit.
func findCards(s string, found *spans) {
	for i := 0; i+cardLength <= len(s); i++ {
		gap := s[i+4]
		if gap != ' ' && gap != '-' || s[i] < '3' || s[i] > '6' || s[i+9] != gap || s[i+14] != gap {
			continue
		}
		end := i + cardLength
		if i > 0 && isNameByte(s[i-1]) || end < len(s) && isNameByte(s[end]) || !luhn(s[i:end]) {
			continue
		}
		found.add(i, end, "card-number")
		i = end
	}
}

// luhn says whether s has sixteen figures of which the last fits the others.
func luhn(s string) bool {
	var sum, n int
	for i := len(s) - 1; i >= 0; i-- {
		if !isDigit(s[i]) {
			continue
		}
		d := int(s[i] - '0')
		if n%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
		n++
	}
	return n == 16 && sum%10 == 0
}
