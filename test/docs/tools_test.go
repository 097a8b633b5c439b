//go:build linux

package docs_test

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/fleetlens/fleetlens/test/natsserver"
)

// tools are the programs that pages call and that are not ours, by name. NATS is the
// real one. What needs a daemon, a cluster or another machine is held against the
// files that it is given; what this test is part of is only looked up.
var tools = map[string]func(args []string) error{
	"nats":        natsCommand,
	"nats-server": natsserver.Main,
	"make":        makeTarget,
	"go":          goCommand,
	"docker":      docker,
	"kubectl":     kubectl,
	"helm":        helm,
	"systemctl":   systemctl,
	"apt":         apt,
	"scp":         func(args []string) error { return exists(args[0]) },
	"ssh":         func(args []string) error { return run("bash", "-c", args[1]) },
	"sudo":        func(args []string) error { return run(args[0], args[1:]...) },
}

// run runs a program with this one's input and output.
func run(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// natsCommand does what the pages ask of the nats command line, which cannot be built
// without a module that is not to be had everywhere.
func natsCommand(args []string) error {
	fs := pflag.NewFlagSet("nats", pflag.ContinueOnError)
	fs.SetInterspersed(true)
	url := fs.StringP("server", "s", cmp.Or(os.Getenv("NATS_URL"), nats.DefaultURL), "")
	creds := fs.String("creds", "", "")
	inbox := fs.String("inbox-prefix", "", "")
	timeout := fs.Duration("timeout", 5*time.Second, "")
	reply := fs.Duration("reply-timeout", 0, "")
	untilEmpty := fs.Bool("wait-for-empty", false, "")
	headers := fs.StringArrayP("header", "H", nil, "")
	count := fs.Int("count", 0, "")
	if len(args) > 0 && args[0] == "fleetlens" { // mounted by plugins register
		return run("fleetlens", args[1:]...)
	}
	if err := fs.Parse(args); err != nil {
		return err
	}
	args = fs.Args()
	if len(args) < 2 {
		return fmt.Errorf("nats %q: too few words", args)
	}
	if args[0] == "plugins" && args[1] == "register" {
		return run(args[3], "--fisk-introspect")
	}
	opts := []nats.Option{nats.Name("nats")}
	if *creds != "" {
		opts = append(opts, nats.UserCredentials(*creds))
	}
	if *inbox != "" {
		opts = append(opts, nats.CustomInboxPrefix(*inbox))
	}
	nc, err := nats.Connect(*url, opts...)
	if err != nil {
		return err
	}
	defer nc.Close()
	msg := &nats.Msg{Subject: args[1], Header: nats.Header{}}
	if len(args) > 2 {
		msg.Data = []byte(args[2])
	}
	for _, h := range *headers {
		name, value, _ := strings.Cut(h, ":")
		msg.Header.Set(name, value)
	}
	switch args[0] {
	case "pub":
		if err := nc.PublishMsg(msg); err != nil {
			return err
		}
		return nc.Flush()
	case "req":
		return request(nc, msg, max(*timeout, *reply), *untilEmpty)
	case "sub":
		return follow(nc, msg.Subject, *count)
	case "stream":
		return stream(nc, args[1:])
	}
	return fmt.Errorf("nats %s: the pages may use pub, req, sub, stream, plugins register", args[0])
}

func request(nc *nats.Conn, msg *nats.Msg, timeout time.Duration, untilEmpty bool) error {
	msg.Reply = nc.NewRespInbox()
	sub, err := nc.SubscribeSync(msg.Reply)
	if err != nil {
		return err
	}
	if err := nc.PublishMsg(msg); err != nil {
		return err
	}
	for {
		m, err := sub.NextMsg(timeout)
		if err != nil {
			return err
		}
		if code := m.Header.Get("Nats-Service-Error-Code"); code != "" || m.Header.Get("Status") == "503" {
			return fmt.Errorf("answered %s %s %s", m.Header.Get("Status"), code, m.Header.Get("Nats-Service-Error"))
		}
		fmt.Printf("%s\n", m.Data)
		if !untilEmpty || len(m.Data) == 0 {
			return nil
		}
	}
}

func follow(nc *nats.Conn, subject string, count int) error {
	sub, err := nc.SubscribeSync(subject)
	if err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	for n := 0; count == 0 || n < count; n++ {
		m, err := sub.NextMsg(time.Hour)
		if err != nil {
			return err
		}
		fmt.Printf("[%s]\n%s\n", m.Subject, m.Data)
	}
	return nil
}

func stream(nc *nats.Conn, args []string) error {
	js, err := nc.JetStream()
	if err != nil {
		return err
	}
	switch {
	case args[0] == "ls":
		for name := range js.StreamNames() {
			fmt.Println(name)
		}
		return nil
	case len(args) > 1 && slices.Contains([]string{"view", "info", "report"}, args[0]):
		info, err := js.StreamInfo(args[1])
		if err != nil {
			return fmt.Errorf("stream %s: %w", args[1], err)
		}
		fmt.Printf("%s: %d messages\n", args[1], info.State.Msgs)
		return nil
	}
	return fmt.Errorf("nats stream %q: the pages may use ls, info, view", args)
}

// makeTarget looks a target up: this test is part of one.
func makeTarget(args []string) error {
	out, err := exec.Command("/usr/bin/make", append([]string{"-n", "-C", os.Getenv("REPO")}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("make %q: %w\n%s", args, err, out)
	}
	return nil
}

// goCommand runs our programs, which are built, and finds packages of others.
func goCommand(args []string) error {
	if len(args) == 1 && args[0] == "build" || len(args) > 1 && args[0] == "mod" { // of the module of an example, which has a test
		return nil
	}
	if len(args) < 2 {
		return fmt.Errorf("go %q: too few words", args)
	}
	i := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "./") || strings.HasPrefix(a, "github.com/") })
	if i < 0 {
		return fmt.Errorf("go %q: there is no package", args)
	}
	pkg := strings.TrimPrefix(args[i], "github.com/fleetlens/fleetlens")
	pkg, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimPrefix(pkg, "."), "/"), "@")
	if name, ours := strings.CutPrefix(pkg, "cmd/"); ours && args[0] == "run" {
		return run(name, args[i+1:]...)
	}
	if !slices.Contains([]string{"run", "test", "build", "install", "get"}, args[0]) {
		return fmt.Errorf("go %s: the pages may run, test, build and install", args[0])
	}
	if pkg == "" { // the module as a whole
		return nil
	}
	found, err := filepath.Glob(filepath.Join(os.Getenv("REPO"), strings.TrimSuffix(pkg, "..."), "*.go"))
	if err != nil || len(found) == 0 && !strings.HasSuffix(pkg, "...") {
		return fmt.Errorf("go %q: %s is no package", args, pkg)
	}
	return nil
}

// docker holds compose's words against the services of the file.
func docker(args []string) error {
	if len(args) < 2 || args[0] != "compose" {
		if len(args) > 1 && args[0] == "build" {
			return exists("Dockerfile")
		}
		return fmt.Errorf("docker %q: the pages may use compose and build", args)
	}
	fs := pflag.NewFlagSet("docker compose", pflag.ContinueOnError)
	file := fs.StringP("file", "f", "docker-compose.yml", "")
	scale := fs.StringToString("scale", nil, "")
	fs.BoolP("detach", "d", false, "")
	fs.BoolP("volumes", "v", false, "")
	fs.Bool("build", false, "")
	fs.Bool("follow", false, "")
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	b, err := os.ReadFile(*file)
	if err != nil {
		return err
	}
	var compose struct{ Services map[string]any }
	if err := yaml.Unmarshal(b, &compose); err != nil {
		return err
	}
	names := fs.Args()[1:]
	if i := slices.Index([]string{"up", "logs", "exec", "run", "down", "pull", "build", "ps"}, fs.Arg(0)); i < 0 {
		return fmt.Errorf("docker compose %s is no command that the pages may use", fs.Arg(0))
	} else if i == 2 || i == 3 { // a service, and then a command in it
		names = names[:1]
	}
	for name := range *scale {
		names = append(names, name)
	}
	for _, name := range names {
		if compose.Services[name] == nil {
			return fmt.Errorf("%s has no service %q", *file, name)
		}
	}
	if env := regexp.MustCompile(`\$\{(FLEETLENS_\w+_PASSWORD):\?`); fs.Arg(0) == "up" {
		given, _ := os.ReadFile(".env")
		for _, m := range env.FindAllSubmatch(b, -1) {
			if !strings.Contains(string(given), string(m[1])+"=") && os.Getenv(string(m[1])) == "" {
				return fmt.Errorf("%s asks for %s, which is not in .env", *file, m[1])
			}
		}
	}
	return nil
}

// kubectl takes what reads, and folders and files that are there.
func kubectl(args []string) error {
	if len(args) == 0 {
		return errors.New("kubectl: no command")
	}
	fs := pflag.NewFlagSet("kubectl", pflag.ContinueOnError)
	fs.ParseErrorsAllowlist.UnknownFlags = true
	folder, file := fs.StringP("kustomize", "k", "", ""), fs.StringP("filename", "f", "", "")
	files := fs.StringArray("from-file", nil, "")
	fs.StringP("namespace", "n", "", "")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *folder != "" {
		return exists(filepath.Join(*folder, "kustomization.yaml"))
	}
	if *file == "-" {
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	}
	if *file != "" {
		return exists(*file)
	}
	for _, f := range *files {
		if _, path, named := strings.Cut(f, "="); named {
			f = path
		}
		if f == "/dev/stdin" {
			_, err := io.Copy(io.Discard, os.Stdin)
			return err
		}
		if err := exists(f); err != nil {
			return err
		}
	}
	if fs.Arg(0) == "get" && fs.Arg(1) == "nodes" {
		fmt.Println("web-1")
	}
	if !slices.Contains([]string{"apply", "create", "get", "logs", "rollout", "port-forward", "label", "describe", "delete", "exec"}, fs.Arg(0)) {
		return fmt.Errorf("kubectl %s is no command that the pages may use", fs.Arg(0))
	}
	return nil
}

// helm takes charts and files of values that are there.
func helm(args []string) error {
	fs := pflag.NewFlagSet("helm", pflag.ContinueOnError)
	fs.ParseErrorsAllowlist.UnknownFlags = true
	values := fs.StringArrayP("values", "f", nil, "")
	fs.StringP("namespace", "n", "", "")
	fs.StringArray("set", nil, "")
	if err := fs.Parse(args); err != nil {
		return err
	}
	for _, f := range *values {
		if err := exists(f); err != nil {
			return err
		}
	}
	switch fs.Arg(0) {
	case "install", "upgrade", "template":
		return exists(filepath.Join(fs.Arg(2), "Chart.yaml"))
	case "lint", "package":
		return exists(filepath.Join(fs.Arg(1), "Chart.yaml"))
	case "test", "uninstall", "rollback", "history", "status":
		return nil
	}
	return fmt.Errorf("helm %s is no command that the pages may use", fs.Arg(0))
}

// systemctl takes units that are ours.
func systemctl(args []string) error {
	for _, a := range args {
		if unit := strings.TrimSuffix(a, ".service"); strings.HasPrefix(unit, "fleetlens") {
			if err := exists(filepath.Join("deploy/systemd", unit+".service")); err != nil {
				return err
			}
		}
	}
	return nil
}

// apt takes packages that are made here.
func apt(args []string) error {
	if len(args) != 2 || args[0] != "install" {
		return fmt.Errorf("apt %q: the pages may install a package", args)
	}
	name, _, _ := strings.Cut(filepath.Base(args[1]), "_")
	return exists(filepath.Join("deploy/packages", name+".yaml"))
}

func exists(path string) error {
	_, err := os.Stat(path)
	return err
}
