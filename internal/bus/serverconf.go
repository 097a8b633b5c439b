package bus

import (
	"fmt"
	"strings"
	"time"
)

// ExampleNode is the node of the one probe in the static users' file.
const ExampleNode = "node-1"

// PasswordVariable returns the name of the environment variable that holds the
// password of a role's static user.
func PasswordVariable(role string) string { return "FLEETLENS_" + strings.ToUpper(role) + "_PASSWORD" }

// StaticUsers returns the users of the table as server configuration, for those
// who do without credentials files. Each role has one user of its name; a probe's
// user is named by its node's token, so there is one for each node given. The
// passwords are read from the environment of the server; probes share one.
func StaticUsers(nodes ...string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, `# Users with passwords, made from the table in internal/bus/users.go: do not edit.
# The server reads each password from its environment when it starts. Let it begin
# with a letter, or the server reads a number. Static users cannot be a template,
# so each node needs a user of its own here, named by the node's token: for a fleet
# use credentials files (fleetlens creds init, fleetlens creds mint).
accounts {
  %s {
    jetstream: enabled
    users: [
`, Account)
	for _, r := range Roles() {
		users := []string{r.Name}
		if r.Name == ProbeRole {
			users = nodes
		}
		for _, user := range users {
			if !userName.MatchString(user) {
				return "", fmt.Errorf("%q is not the token of a node", user)
			}
			writeUser(&b, r, user)
		}
	}
	b.WriteString("    ]\n  }\n}\n")
	return b.String(), nil
}

func writeUser(b *strings.Builder, r Role, user string) {
	p := r.Permissions(user)
	fmt.Fprintf(b, "      # %s: %s\n      {\n        user: %q, password: $%s\n        permissions {\n", r.Name, r.Doc, user, PasswordVariable(r.Name))
	list := func(key string, subjects []string) {
		if len(subjects) == 0 {
			return
		}
		fmt.Fprintf(b, "            %s: [\n", key)
		for _, s := range subjects {
			fmt.Fprintf(b, "              %q\n", s)
		}
		b.WriteString("            ]\n")
	}
	b.WriteString("          publish {\n")
	list("allow", p.Pub.Allow)
	list("deny", p.Pub.Deny)
	b.WriteString("          }\n          subscribe {\n")
	list("allow", p.Sub.Allow)
	b.WriteString("          }\n")
	if p.Resp != nil {
		fmt.Fprintf(b, "          allow_responses { max: %d, expires: %q }\n", p.Resp.MaxMsgs, shortDuration(p.Resp.Expires))
	}
	b.WriteString("        }\n      }\n")
}

// shortDuration writes whole minutes as people do.
func shortDuration(d time.Duration) string {
	return strings.TrimSuffix(d.String(), "0s")
}

// clusterServers is the size of the cluster in the example.
const clusterServers = 3

// ServerFiles returns the files of deploy/nats by name, apart from its README.
func ServerFiles() (map[string]string, error) {
	users, err := StaticUsers(ExampleNode)
	if err != nil {
		return nil, err
	}
	files := map[string]string{
		"accounts.conf": users,
		"single.conf":   singleConf,
		"hub.conf":      hubConf,
		"leaf.conf":     leafConf,
		"tls.conf":      tlsConf,
	}
	for n := 1; n <= clusterServers; n++ {
		files[fmt.Sprintf("cluster-%d.conf", n)] = clusterConf(n)
	}
	return files, nil
}

const generated = "# Made by internal/bus/serverconf.go: copy it before you edit it.\n"

const singleConf = generated + `# One server. What it has acknowledged survives a power cut: sync_interval is always.
server_name: fleetlens
listen: 0.0.0.0:4222
http: 127.0.0.1:8222
max_payload: 1MB

jetstream {
  store_dir: /data
  sync_interval: always
}

# Users: these, or those of credentials files (resolver.conf of fleetlens creds init).
include accounts.conf

# With TLS, after setting the paths in it:
# include tls.conf
`

func clusterConf(n int) string {
	var routes strings.Builder
	for i := 1; i <= clusterServers; i++ {
		fmt.Fprintf(&routes, "    nats://nats-%d:6222\n", i)
	}
	return fmt.Sprintf(generated+`# Server %d of %d. Streams have three copies: fleetlens setup --replicas 3.
server_name: fleetlens-%d
listen: 0.0.0.0:4222
http: 127.0.0.1:8222
max_payload: 1MB

jetstream {
  store_dir: /data
}

cluster {
  name: fleetlens
  listen: 0.0.0.0:6222
  routes: [
%s  ]
  # Routes trust who connects: keep this port inside, or turn TLS on.
  # include tls.conf
}

# The same users on each server.
include accounts.conf

# With TLS, after setting the paths in it:
# include tls.conf
`, n, clusterServers, n, routes.String())
}

const hubConf = generated + `# Include this on the servers that sites connect to with leaf.conf. A leaf speaks
# for its whole site, as admin does: its own users keep it in order. The password is
# read as $FLEETLENS_LEAF_PASSWORD.
leafnodes {
  listen: 0.0.0.0:7422
  authorization {
    user: leaf, password: $FLEETLENS_LEAF_PASSWORD
    account: ` + Account + `
  }
}
`

const leafConf = generated + `# A server at a site, for the processes there. It keeps no streams: JetStream is
# the hub's, and requests for it pass through. While the hub is away probes buffer.
# $FLEETLENS_HUB_URL is "nats-leaf://leaf:PASSWORD@hub:7422", in quotes (tls://… with
# TLS). With credentials files say  credentials: /etc/nats/leaf.creds  instead of a
# user in the URL, and include resolver.conf in place of accounts.conf.
server_name: $FLEETLENS_SITE
listen: 0.0.0.0:4222
http: 127.0.0.1:8222
max_payload: 1MB

leafnodes {
  remotes: [
    { url: $FLEETLENS_HUB_URL, account: ` + Account + ` }
  ]
}

include accounts.conf
`

const tlsConf = generated + `# Include this at the top of a server's file, and inside cluster and leafnodes.
tls {
  cert_file: /etc/nats/tls/server.crt
  key_file: /etc/nats/tls/server.key
  ca_file: /etc/nats/tls/ca.crt
  # verify: true  asks clients, too, for a certificate of this authority; routes always are.
  min_version: "1.3"
}
`
