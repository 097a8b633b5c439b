package dist

import (
	"crypto/md5" //nolint:gosec // the protocol's own digest
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// Capabilities, as OTP's dist.h numbers them. Flags are those that every node from OTP
// 23 to 28 asks for, and the spawning and watching of processes. Left out on purpose:
// PUBLISHED, so that the node counts us as hidden; the atom cache and fragments, so that
// frames stay whole and plain.
const (
	flagExtendedReferences = 1 << 2
	flagDistMonitor        = 1 << 3
	flagFunTags            = 1 << 4
	flagDistMonitorName    = 1 << 5
	flagNewFunTags         = 1 << 7
	flagExtendedPids       = 1 << 8
	flagExportPtr          = 1 << 9
	flagBitBinaries        = 1 << 10
	flagNewFloats          = 1 << 11
	flagSmallAtoms         = 1 << 14
	flagUTF8Atoms          = 1 << 16
	flagMaps               = 1 << 17
	flagBigCreation        = 1 << 18
	flagHandshake23        = 1 << 24
	flagUnlinkID           = 1 << 25
	flagMandatory25        = 1 << 26
	flagSpawn              = 1 << 32
	flagV4                 = 1 << 34

	flags = flagExtendedReferences | flagDistMonitor | flagFunTags | flagDistMonitorName | flagNewFunTags |
		flagExtendedPids | flagExportPtr | flagBitBinaries | flagNewFloats | flagSmallAtoms | flagUTF8Atoms | flagMaps |
		flagBigCreation | flagHandshake23 | flagUnlinkID | flagMandatory25 | flagSpawn | flagV4
)

// Why a node refuses us.
var (
	ErrCookie = errors.New("the node refuses the cookie")
	ErrOld    = errors.New("the node is older than OTP 23")
	ErrRefuse = errors.New("the node refuses the connection")
	ErrOther  = errors.New("another node answers there")
)

// longestGreeting is how long a message of the handshake may be.
const longestGreeting = 4096

// A greeting is what the handshake learns of the node.
type greeting struct {
	name     string
	creation uint32
	flags    uint64
}

// A shaker has the two halves of the handshake.
type shaker struct {
	net.Conn
	header int // bytes of the length before each message: 2, over TLS 4
}

func (s shaker) send(message []byte) error {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(message)))
	if s.header == 4 {
		b = binary.BigEndian.AppendUint32(nil, uint32(len(message)))
	}
	_, err := s.Write(append(b, message...))
	return err
}

// receive reads a message that must begin with one of the tags.
func (s shaker) receive(tags string) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(s, head[:s.header]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(head[:]))
	if s.header == 4 {
		n = int(binary.BigEndian.Uint32(head[:]))
	}
	if n == 0 || n > longestGreeting {
		return nil, fmt.Errorf("a message of %d bytes: it does not speak Erlang's distribution (or speaks it over TLS)", n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(s, b); err != nil {
		return nil, err
	}
	if !strings.ContainsRune(tags, rune(b[0])) {
		return nil, fmt.Errorf("a message %q where one of %q was due: it does not speak Erlang's distribution", b[0], tags)
	}
	return b, nil
}

// shake makes us known to the node, and it to us.
func (s shaker) shake(me, peer, cookie string, creation uint32) (greeting, error) {
	hello := binary.BigEndian.AppendUint64([]byte{'N'}, flags)
	hello = binary.BigEndian.AppendUint32(hello, creation)
	hello = append(binary.BigEndian.AppendUint16(hello, uint16(len(me))), me...)
	if err := s.send(hello); err != nil {
		return greeting{}, err
	}
	if err := s.status(); err != nil {
		return greeting{}, err
	}
	g, theirs, err := s.challenge()
	if err != nil {
		return greeting{}, err
	}
	if g.name != peer {
		return greeting{}, fmt.Errorf("%w: it is named %s", ErrOther, g.name)
	}
	var random [4]byte
	if _, err := rand.Read(random[:]); err != nil {
		return greeting{}, err
	}
	ours := binary.BigEndian.Uint32(random[:])
	reply := binary.BigEndian.AppendUint32([]byte{'r'}, ours)
	if err := s.send(append(reply, digest(cookie, theirs)...)); err != nil {
		return greeting{}, err
	}
	ack, err := s.receive("a")
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return greeting{}, ErrCookie // it hangs up and says no word
	}
	if err != nil {
		return greeting{}, err
	}
	if subtle.ConstantTimeCompare(ack[1:], digest(cookie, ours)) != 1 {
		return greeting{}, fmt.Errorf("the node does not know the cookie: %w", ErrCookie)
	}
	return g, nil
}

// status reads whether the node wants to know us. Where it still holds a connection of
// ours, that one is dead: the new one is to take its place.
func (s shaker) status() error {
	b, err := s.receive("s")
	if err != nil {
		return err
	}
	switch word := string(b[1:]); word {
	case "ok", "ok_simultaneous":
		return nil
	case "alive":
		return s.send([]byte("strue"))
	default:
		return fmt.Errorf("%w: it says %.40q", ErrRefuse, word)
	}
}

// challenge reads who the node is, and what it wants to see a digest of.
func (s shaker) challenge() (greeting, uint32, error) {
	b, err := s.receive("Nn")
	if err != nil {
		return greeting{}, 0, err
	}
	if b[0] == 'n' {
		return greeting{}, 0, ErrOld
	}
	if len(b) < 19 || len(b) != 19+int(binary.BigEndian.Uint16(b[17:])) {
		return greeting{}, 0, errors.New("its challenge is malformed")
	}
	g := greeting{name: string(b[19:]), flags: binary.BigEndian.Uint64(b[1:]), creation: binary.BigEndian.Uint32(b[13:])}
	if g.flags&flagSpawn == 0 {
		return greeting{}, 0, ErrOld
	}
	return g, binary.BigEndian.Uint32(b[9:]), nil
}

func digest(cookie string, challenge uint32) []byte {
	sum := md5.Sum([]byte(cookie + strconv.FormatUint(uint64(challenge), 10))) //nolint:gosec // the protocol's own digest
	return sum[:]
}
