package postgres

import "strings"

// commands are the first words that say what a statement does.
var commands = map[string]bool{
	"ABORT": true, "ALTER": true, "ANALYZE": true, "BEGIN": true, "CALL": true, "CHECKPOINT": true, "CLOSE": true, "CLUSTER": true, "COMMENT": true,
	"COMMIT": true, "COPY": true, "CREATE": true, "DEALLOCATE": true, "DECLARE": true, "DELETE": true, "DISCARD": true, "DO": true, "DROP": true,
	"END": true, "EXECUTE": true, "EXPLAIN": true, "FETCH": true, "GRANT": true, "IMPORT": true, "INSERT": true, "LISTEN": true, "LOAD": true,
	"LOCK": true, "MERGE": true, "MOVE": true, "NOTIFY": true, "PREPARE": true, "REASSIGN": true, "REFRESH": true, "REINDEX": true, "RELEASE": true,
	"RESET": true, "REVOKE": true, "ROLLBACK": true, "SAVEPOINT": true, "SECURITY": true, "SELECT": true, "SET": true, "SHOW": true, "START": true,
	"TABLE": true, "TRUNCATE": true, "UNLISTEN": true, "UPDATE": true, "VACUUM": true, "VALUES": true, "WITH": true,
}

// command returns the first word of a query with a blank, where it is one of SQL's.
func command(query string) string {
	query = strings.TrimLeft(query, " \t\r\n\f(;")
	end := 0
	for end < len(query) && end < 12 && letter(query[end]) {
		end++
	}
	if word := strings.ToUpper(query[:end]); commands[word] && (end == len(query) || !wordByte(query[end])) {
		return word + " "
	}
	return ""
}
