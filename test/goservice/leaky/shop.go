package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// A shop is what the service does when nothing is wrong.
type shop struct{ stock *stock }

func newShop() *shop { return &shop{stock: &stock{left: map[string]int{}}} }

// order does a little of everything: it computes, allocates, locks and waits.
func (s *shop) order(w http.ResponseWriter, _ *http.Request) {
	items := make([]map[string]string, 0, 20)
	for i := range 20 {
		items = append(items, map[string]string{"item": strconv.Itoa(i), "price": "12.30"})
	}
	s.stock.take("hammer")
	time.Sleep(2 * time.Millisecond)
	_ = json.NewEncoder(w).Encode(items)
}

// A stock is guarded by one lock.
type stock struct {
	mu   sync.Mutex
	left map[string]int
}

func (s *stock) take(item string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left[item]--
}

// reserve waits for the lock like everybody.
//
//go:noinline
func (s *stock) reserve(item string) {
	s.mu.Lock()
	s.left[item]--
	s.mu.Unlock()
}

// count holds the lock for a while.
//
//go:noinline
func (s *stock) count(item string) {
	s.mu.Lock()
	time.Sleep(time.Millisecond)
	s.left[item]++
	s.mu.Unlock()
}

// audit takes the lock and does not let go.
//
//go:noinline
func (s *stock) audit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		time.Sleep(time.Hour)
	}
}
