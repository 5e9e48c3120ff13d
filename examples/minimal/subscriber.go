// The smallest subscriber: go run subscriber.go. Prints each event once.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
)

const remembered = 10_000

var (
	mutex sync.Mutex
	seen  = map[string]bool{}
)

func take(w http.ResponseWriter, r *http.Request) {
	id, kind := r.Header.Get("ce-id"), r.Header.Get("ce-type")
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 65_536))
	if err != nil || id == "" || kind == "" {
		// 400 is not repeated by a broker: what is no event never will be one.
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	mutex.Lock()
	defer mutex.Unlock()
	// An event comes at least once; it has the same id each time.
	if !seen[id] {
		if len(seen) >= remembered {
			clear(seen)
		}
		fmt.Println(r.Header.Get("ce-subject"), kind, string(body))
		seen[id] = true
	}
	// No body: a broker would take one for an event of ours.
	w.WriteHeader(http.StatusNoContent)
}

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("listening")
	fmt.Fprintln(os.Stderr, http.Serve(listener, http.HandlerFunc(take)))
	os.Exit(1)
}
