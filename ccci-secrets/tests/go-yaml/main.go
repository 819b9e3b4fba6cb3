// Reads YAML files from standard input, each after a line with its length in bytes, and prints for each what sops would
// make of it: one line per entry, item, comment and scalar in the order of sops' tree, then a line "end". A file that
// sops refuses gives the line "error". The reader of ccci-secrets prints the same (src/document/yaml/tests/go_yaml.rs).
//
//	c text   comment        i text   comment on the line of a value
//	m l      map, list      e        their end
//	k text   key            a name   alias
//	s style type bytes      scalar, its bytes as sops hashes them
//
// Texts and bytes are hexadecimal, so that every line is one field after the other.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

var errRefused = errors.New("refused")

type printer struct{ out bytes.Buffer }

func (p *printer) comments(sign, text string) {
	for _, line := range strings.Split(text, "\n") {
		if line != "" {
			fmt.Fprintf(&p.out, "%s %s\n", sign, hex.EncodeToString([]byte(line[1:])))
		}
	}
}

func style(node *yaml.Node) string {
	switch {
	case node.Style&yaml.DoubleQuotedStyle != 0:
		return "double"
	case node.Style&yaml.SingleQuotedStyle != 0:
		return "single"
	case node.Style&yaml.LiteralStyle != 0:
		return "literal"
	case node.Style&yaml.FoldedStyle != 0:
		return "folded"
	}
	return "plain"
}

func scalar(node *yaml.Node) string {
	var value interface{}
	// Like sops: what cannot be decoded is null.
	_ = node.Decode(&value)
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return "bool " + hex.EncodeToString([]byte(strings.Title(strconv.FormatBool(v))))
	case int:
		return "int " + hex.EncodeToString([]byte(strconv.Itoa(v)))
	case int64:
		return "int " + hex.EncodeToString([]byte(strconv.FormatInt(v, 10)))
	case float64:
		return "float " + hex.EncodeToString([]byte(strconv.FormatFloat(v, 'f', -1, 64)))
	case string:
		return "str " + hex.EncodeToString([]byte(v))
	case time.Time:
		text, err := v.MarshalText()
		if err != nil {
			return "unsupported"
		}
		return "time " + hex.EncodeToString(text)
	}
	return "unsupported"
}

func (p *printer) value(node *yaml.Node, handled bool) error {
	switch node.Kind {
	case yaml.ScalarNode:
		fmt.Fprintf(&p.out, "s %s %s\n", style(node), scalar(node))
	case yaml.AliasNode:
		fmt.Fprintf(&p.out, "a %s\n", hex.EncodeToString([]byte(node.Value)))
	case yaml.SequenceNode:
		p.out.WriteString("l\n")
		if !handled {
			p.comments("c", node.HeadComment)
			p.comments("c", node.LineComment)
		}
		for _, item := range node.Content {
			p.comments("c", item.HeadComment)
			p.comments("i", item.LineComment)
			if err := p.value(item, true); err != nil {
				return err
			}
			p.comments("c", item.FootComment)
		}
		if !handled {
			p.comments("c", node.FootComment)
		}
		p.out.WriteString("e\n")
	case yaml.MappingNode:
		p.out.WriteString("m\n")
		if err := p.entries(node, handled); err != nil {
			return err
		}
		p.out.WriteString("e\n")
	}
	return nil
}

func (p *printer) entries(node *yaml.Node, handled bool) error {
	if !handled {
		p.comments("c", node.HeadComment)
		p.comments("c", node.LineComment)
	}
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		var name interface{}
		if err := key.Decode(&name); err != nil {
			return err
		}
		text, ok := name.(string)
		// An alias as a key, and a name written in base64, are refused by design.
		if !ok || key.Kind != yaml.ScalarNode || key.ShortTag() == "!!binary" {
			return errRefused
		}
		p.comments("c", key.HeadComment)
		p.comments("c", key.LineComment)
		plain := value.Kind == yaml.ScalarNode || value.Kind == yaml.AliasNode
		if plain {
			p.comments("c", value.HeadComment)
			p.comments("i", value.LineComment)
		}
		fmt.Fprintf(&p.out, "k %s\n", hex.EncodeToString([]byte(text)))
		if err := p.value(value, plain); err != nil {
			return err
		}
		if plain {
			p.comments("c", value.FootComment)
		}
		p.comments("c", key.FootComment)
	}
	if !handled {
		p.comments("c", node.FootComment)
	}
	return nil
}

func (p *printer) document(doc *yaml.Node) error {
	p.out.WriteString("m\n")
	p.comments("c", doc.HeadComment)
	p.comments("c", doc.LineComment)
	for _, root := range doc.Content {
		switch {
		case root.Kind == yaml.MappingNode:
			if err := p.entries(root, false); err != nil {
				return err
			}
		// A document that is there but empty; one that says `null` is refused by design.
		case root.Kind == yaml.ScalarNode && root.Value == "" && root.Tag == "!!null" && root.Anchor == "":
			p.comments("c", root.HeadComment)
			p.comments("c", root.LineComment)
			p.comments("c", root.FootComment)
		default:
			return errRefused
		}
	}
	p.comments("c", doc.FootComment)
	p.out.WriteString("e\n")
	return nil
}

func describe(in []byte) (text string) {
	defer func() {
		if recover() != nil {
			text = "error\n"
		}
	}()
	var p printer
	// sops lets the decoder look for keys that stand twice, which it does in the first document only.
	if err := yaml.NewDecoder(bytes.NewReader(in)).Decode(make(map[string]interface{})); err != nil {
		return "error\n"
	}
	decoder := yaml.NewDecoder(bytes.NewReader(in))
	for {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if err == io.EOF {
			return p.out.String()
		}
		if err != nil {
			return "error\n"
		}
		if err := p.document(&doc); err != nil {
			return "error\n"
		}
	}
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
