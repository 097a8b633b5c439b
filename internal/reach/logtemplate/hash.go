package logtemplate

// wild is the hash of every variable.
const wild = 0x9e3779b97f4a7c15

// hashOf is FNV-1a: the same on every machine, so that ids are.
func hashOf(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix is what the token with hash h adds to the key of a line at position p.
// Keys are sums, so that one token can be exchanged for another.
func mix(p int, h uint64) uint64 {
	h += uint64(p+1) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// keyOf is the sum over a line.
func keyOf(tokens []token) uint64 {
	key := uint64(len(tokens))
	for p := range tokens {
		key += mix(p, tokens[p].hash)
	}
	return key
}

// skeletonOf tells lines apart that can never be one template: by their length
// and by where their punctuation is.
func skeletonOf(tokens []token) uint64 {
	key := uint64(len(tokens))
	for p := range tokens {
		if tokens[p].kind == mark {
			key += mix(p, tokens[p].hash)
		}
	}
	return key
}
