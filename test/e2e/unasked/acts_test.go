//go:build linux

package unasked

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// Files in the folder of a box by which its program is told what to do.
const (
	beginFile = "begin"
	endFile   = "end"
)

// act plays the role of a program with a fault: it is ready, waits until it is told
// to begin, and ends the fault when it is told to.
func act(role string) error {
	fault, ok := map[string]func() error{"stay": rest, "burn": burn, "leak": leak, "fill": fill, "full": rest}[role]
	if !ok {
		return fmt.Errorf("unknown role %q", role)
	}
	if role == "fill" || role == "full" {
		if err := mountData(); err != nil {
			return err
		}
	}
	if role == "full" {
		if err := write(97); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with its box
		os.Exit(0)
	}()
	told(beginFile)
	return fault()
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func told(name string) {
	for range time.Tick(50 * time.Millisecond) {
		if exists(name) {
			return
		}
	}
}

func rest() error { select {} }

// burners is how many threads burn: more than twice as many as there are cores by far.
const burners = 24

func burn() error {
	runtime.GOMAXPROCS(burners)
	over := make(chan struct{})
	for range burners {
		go func() {
			for {
				select {
				case <-over:
					return
				default:
				}
			}
		}()
	}
	told(endFile)
	close(over)
	return rest()
}

// What the leak takes, of the memory that its box is said to have.
const (
	boxMemory = 512 << 20
	leakStep  = 8 << 20
	leakMost  = 400 << 20
)

func leak() error {
	for taken := 0; taken < leakMost && !exists(endFile); taken += leakStep {
		b, err := syscall.Mmap(-1, 0, leakStep, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			return err
		}
		for i := 0; i < len(b); i += os.Getpagesize() {
			b[i] = 1
		}
		time.Sleep(250 * time.Millisecond)
	}
	told(endFile)
	return nil // with the process its memory goes
}

// dataMB is the size of the filesystem of a box.
const dataMB = 16

// mountData mounts a small filesystem in the working folder.
func mountData() error {
	dir, err := filepath.Abs("data")
	if err != nil {
		return err
	}
	return errors.Join(os.Mkdir(dir, 0o755), syscall.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", dataMB)))
}

// write makes the filesystem as full as told, in percent.
func write(percent int) error {
	return os.WriteFile("data/upload", make([]byte, dataMB<<20*percent/100), 0o600)
}

func fill() error {
	for percent := 5; percent <= 96; percent += 7 {
		if err := write(percent); err != nil {
			return err
		}
		time.Sleep(250 * time.Millisecond)
	}
	told(endFile)
	return errors.Join(os.Remove("data/upload"), rest())
}
