// Package reading finds in the streams what people ask for by an id or an address,
// for the web server and the command line alike. It only reads, makes no consumer,
// and needs no more than a viewer may.
package reading
