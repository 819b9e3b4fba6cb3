// Reads INI files from standard input, each after a line with its length in bytes, and prints for each what sops would
// make of it: one line per section, key, value and comment in the order of sops' tree, then a line "end". A file that
// sops refuses gives the line "error". The reader of ccci-secrets prints the same (src/document/ini/tests.rs).
//
//	n name   section        c text   comment
//	k name   key            v text   its value
//
// Texts are hexadecimal, so that every line is one field after the other.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"gopkg.in/ini.v1"
)

// comment takes the signs and blanks off the start, as sops does.
func comment(out *bytes.Buffer, text string) {
	if text == "" {
		return
	}
	switch text[0] {
	case ';':
		text = strings.TrimLeft(text, "; ")
	case '#':
		text = strings.TrimLeft(text, "# ")
	}
	fmt.Fprintf(out, "c %s\n", hex.EncodeToString([]byte(text)))
}

func describe(in []byte) string {
	file, err := ini.LoadSources(ini.LoadOptions{AllowNonUniqueSections: true}, in)
	if err != nil {
		return "error\n"
	}
	var out bytes.Buffer
	for _, section := range file.Sections() {
		fmt.Fprintf(&out, "n %s\n", hex.EncodeToString([]byte(section.Name())))
		comment(&out, section.Comment)
		for _, key := range section.Keys() {
			fmt.Fprintf(&out, "k %s\n", hex.EncodeToString([]byte(key.Name())))
			fmt.Fprintf(&out, "v %s\n", hex.EncodeToString([]byte(key.Value())))
			comment(&out, key.Comment)
		}
	}
	return out.String()
}

func main() {
	in := bufio.NewReader(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		length, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			panic(err)
		}
		text := make([]byte, length)
		if _, err := io.ReadFull(in, text); err != nil {
			panic(err)
		}
		fmt.Fprintf(out, "%send\n", describe(text))
	}
}
