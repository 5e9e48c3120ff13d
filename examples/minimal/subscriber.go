// The smallest subscriber: go run subscriber.go. Prints each event once.
package main

import (
	"cmp"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
)

var (
	mutex sync.Mutex
	seen  = map[string]bool{}
)

func take(w http.ResponseWriter, r *http.Request) {
	id, kind := r.Header.Get("ce-id"), r.Header.Get("ce-type")
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 65_536))
	if err != nil || id == "" || kind == "" {
		w.WriteHeader(http.StatusBadRequest) // A broker does not repeat what is no event.
		return
	}
	mutex.Lock()
	defer mutex.Unlock()
	if len(seen) >= 10_000 {
		clear(seen)
	}
	if !seen[id] { // An event comes at least once, with the same id each time.
		fmt.Println(r.Header.Get("ce-subject"), kind, string(body))
		seen[id] = true
	}
	w.WriteHeader(http.StatusNoContent) // A broker would take a body for an event of ours.
}

func main() {
	listener, err := net.Listen("tcp", ":"+cmp.Or(os.Getenv("PORT"), "8080"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening")
	log.Fatal(http.Serve(listener, http.HandlerFunc(take)))
}
