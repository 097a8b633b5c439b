package bus

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Account is the name of the NATS account that Fleetlens lives in.
const Account = "FLEETLENS"

// Files of an Authority's folder. Seeds are secret: whoever has operator.seed or
// account.seed can do anything, whoever has a role's seed can mint users of it.
const (
	ResolverFile  = "resolver.conf" // for the server: include it
	LedgerFile    = "minted.tsv"    // time, role, name and public key of each user
	SysCredsFile  = "sys.creds"     // for `nats server …`
	operatorFile  = "operator.seed"
	accountFile   = "account.seed"
	accountIDFile = "account.pub"
	sysFile       = "sys.seed"
)

func roleFile(role string) string { return "role-" + role + ".seed" }

// An Authority mints credentials. It is a folder of keys: an operator, the
// account FLEETLENS and one scoped signing key for each role. It keeps no key in
// memory and is for one process at a time.
type Authority struct {
	dir     string
	account string // public key
}

// NewAuthority makes the keys in dir, which it creates, and the configuration of
// the server. It refuses a folder that holds an authority already.
func NewAuthority(dir string) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, operatorFile)); err == nil {
		return nil, fmt.Errorf("%s holds an authority already; its keys would be lost: choose another folder", dir)
	}
	a := &Authority{dir: dir}
	seeds := map[string]func() (nkeys.KeyPair, error){operatorFile: nkeys.CreateOperator, accountFile: nkeys.CreateAccount, sysFile: nkeys.CreateAccount}
	for _, r := range Roles() {
		seeds[roleFile(r.Name)] = nkeys.CreateAccount
	}
	for file, create := range seeds {
		if err := a.writeKey(file, create); err != nil {
			return nil, err
		}
	}
	account, err := a.public(accountFile)
	if err != nil {
		return nil, err
	}
	a.account = account
	if err := os.WriteFile(filepath.Join(dir, accountIDFile), []byte(account+"\n"), 0o644); err != nil {
		return nil, err
	}
	return a, a.WriteResolver()
}

// OpenAuthority opens the folder that NewAuthority made. To mint users of one
// role the folder needs no more than account.pub and the seed of that role.
func OpenAuthority(dir string) (*Authority, error) {
	b, err := os.ReadFile(filepath.Join(dir, accountIDFile))
	if err != nil {
		return nil, fmt.Errorf("no authority in %s: make one with `fleetlens creds init`: %w", dir, err)
	}
	a := &Authority{dir: dir, account: strings.TrimSpace(string(b))}
	if !nkeys.IsValidPublicAccountKey(a.account) {
		return nil, fmt.Errorf("%s: %q is not the public key of an account", filepath.Join(dir, accountIDFile), a.account)
	}
	return a, nil
}

// WriteResolver writes the server's configuration anew, with the permissions of
// the present table. After an upgrade that changed the table it makes them hold
// for all users that were ever minted, once the servers have reloaded it. A role
// that is new gets its key.
func (a *Authority) WriteResolver() error {
	operator, err := a.key(operatorFile)
	if err != nil {
		return err
	}
	defer operator.Wipe()
	sysPub, err := a.public(sysFile)
	if err != nil {
		return err
	}
	sysJWT, err := signAccount(jwt.NewAccountClaims(sysPub), "SYS", operator)
	if err != nil {
		return err
	}
	claims := jwt.NewAccountClaims(a.account)
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit}
	claims.Limits.DisallowBearer = true
	for _, r := range Roles() {
		if err := a.writeKey(roleFile(r.Name), nkeys.CreateAccount); err != nil {
			return err
		}
		pub, err := a.public(roleFile(r.Name))
		if err != nil {
			return err
		}
		scope := jwt.NewUserScope()
		scope.Key, scope.Role, scope.Description = pub, r.Name, r.Doc
		scope.Template.Permissions = r.Permissions(UserName)
		claims.SigningKeys.AddScopedSigner(scope)
	}
	accountJWT, err := signAccount(claims, Account, operator)
	if err != nil {
		return err
	}
	operatorPub, err := operator.PublicKey()
	if err != nil {
		return err
	}
	oc := jwt.NewOperatorClaims(operatorPub)
	oc.Name, oc.SystemAccount = "fleetlens", sysPub
	operatorJWT, err := oc.Encode(operator)
	if err != nil {
		return err
	}
	conf := fmt.Sprintf(`# Written by fleetlens creds. It holds no secret.
operator: %s
system_account: %s
resolver: MEMORY
resolver_preload: {
  # SYS
  %s: %s
  # %s
  %s: %s
}
`, operatorJWT, sysPub, sysPub, sysJWT, Account, a.account, accountJWT)
	if err := os.WriteFile(filepath.Join(a.dir, ResolverFile), []byte(conf), 0o644); err != nil {
		return err
	}
	return a.writeSysCreds(sysPub)
}

// userName is what a user may be called: one token of a subject. A name with a
// wildcard would widen the user's permissions.
var userName = regexp.MustCompile(fmt.Sprintf(`^[A-Za-z0-9_-]{1,%d}$`, protocol.MaxToken))

// Mint returns the credentials of a new user, a file as NATS clients read it. The
// name of a probe is its node's token, that of others is the instance's: one
// token of a subject. The server knows the user at once. One name belongs to one
// role, because it names the user's inbox; for the same role it may be minted again.
func (a *Authority) Mint(role, name string) ([]byte, error) {
	if _, ok := RoleOf(role); !ok {
		var have []string
		for _, r := range Roles() {
			have = append(have, r.Name)
		}
		return nil, fmt.Errorf("unknown role %q (have %s)", role, strings.Join(have, ", "))
	}
	if !userName.MatchString(name) {
		return nil, fmt.Errorf("%q cannot be the name of a user: it must be one token of letters, digits, '_' and '-'; the token of a node of this name is %q", name, protocol.Token(name))
	}
	if err := a.taken(role, name); err != nil {
		return nil, err
	}
	signer, err := a.key(roleFile(role))
	if err != nil {
		return nil, err
	}
	defer signer.Wipe()
	creds, pub, err := signUser(name, a.account, signer, true)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(a.dir, LedgerFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(f, "%s\t%s\t%s\t%s\n", time.Now().UTC().Format(time.RFC3339), role, name, pub)
	return creds, errors.Join(err, f.Close())
}

// taken says whether a user of another role has the name.
func (a *Authority) taken(role, name string) error {
	b, err := os.ReadFile(filepath.Join(a.dir, LedgerFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Split(line, "\t"); len(f) == 4 && f[2] == name && f[1] != role {
			return fmt.Errorf("%q is a %s already and would share its inbox: choose another name", name, f[1])
		}
	}
	return nil
}

func (a *Authority) writeSysCreds(sysPub string) error {
	file := filepath.Join(a.dir, SysCredsFile)
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	sys, err := a.key(sysFile)
	if err != nil {
		return err
	}
	defer sys.Wipe()
	creds, _, err := signUser("sys", sysPub, sys, false)
	if err != nil {
		return err
	}
	return os.WriteFile(file, creds, 0o600)
}

// writeKey makes a key unless the file is there.
func (a *Authority) writeKey(file string, create func() (nkeys.KeyPair, error)) error {
	path := filepath.Join(a.dir, file)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	kp, err := create()
	if err != nil {
		return err
	}
	defer kp.Wipe()
	seed, err := kp.Seed()
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(seed, '\n'), 0o600)
}

func (a *Authority) key(file string) (nkeys.KeyPair, error) {
	b, err := os.ReadFile(filepath.Join(a.dir, file))
	if err != nil {
		return nil, err
	}
	kp, err := nkeys.FromSeed([]byte(strings.TrimSpace(string(b))))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(a.dir, file), err)
	}
	return kp, nil
}

func (a *Authority) public(file string) (string, error) {
	kp, err := a.key(file)
	if err != nil {
		return "", err
	}
	defer kp.Wipe()
	return kp.PublicKey()
}

func signAccount(claims *jwt.AccountClaims, name string, operator nkeys.KeyPair) (string, error) {
	claims.Name = name
	var vr jwt.ValidationResults
	claims.Validate(&vr)
	if errs := vr.Errors(); len(errs) > 0 {
		return "", fmt.Errorf("account %s: %w", name, errors.Join(errs...))
	}
	return claims.Encode(operator)
}

func signUser(name, account string, signer nkeys.KeyPair, scoped bool) (creds []byte, pub string, err error) {
	kp, err := nkeys.CreateUser()
	if err != nil {
		return nil, "", err
	}
	defer kp.Wipe()
	if pub, err = kp.PublicKey(); err != nil {
		return nil, "", err
	}
	claims := jwt.NewUserClaims(pub)
	claims.Name = name
	if scoped {
		claims.IssuerAccount = account
		claims.SetScoped(true)
	}
	token, err := claims.Encode(signer)
	if err != nil {
		return nil, "", err
	}
	seed, err := kp.Seed()
	if err != nil {
		return nil, "", err
	}
	creds, err = jwt.FormatUserConfig(token, seed)
	return creds, pub, err
}
