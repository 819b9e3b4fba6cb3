// Reads YAML files from standard input, each after a line with its length in bytes, and prints for each a line with a
// length and the text that sops would write for its tree; 0 for a file that is refused. The first argument is the
// indent. The writer of ccci-secrets is compared with it (src/document/canonical/tests.rs).
//
// The tree is what sops makes of a file: entries and items with comment lines among them. It is given back to go-yaml
// with each run of comments as the head of the item behind it, of the whole collection where that is its first item, or
// as the foot of the last one; a comment that stood on the line of a value goes to the line of the next value.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var errRefused = errors.New("refused")

type comment struct {
	text   string
	inline bool
}

type entry struct {
	key   string
	value interface{}
}

// collection is a map of entries or a list of values, both with comments among them.
type collection struct {
	isMap bool
	items []interface{}
}

func (c *collection) comments(text string, inline bool) {
	for _, line := range strings.Split(text, "\n") {
		if line != "" {
			c.items = append(c.items, comment{line[1:], inline})
		}
	}
}

func read(node *yaml.Node, handled bool) (interface{}, error) {
	switch node.Kind {
	case yaml.ScalarNode:
		var value interface{}
		_ = node.Decode(&value)
		if _, ok := value.(uint64); ok {
			return nil, errRefused
		}
		return value, nil
	case yaml.AliasNode:
		return read(node.Alias, false)
	case yaml.SequenceNode:
		list := &collection{}
		if !handled {
			list.comments(node.HeadComment, false)
			list.comments(node.LineComment, false)
		}
		for _, item := range node.Content {
			list.comments(item.HeadComment, false)
			list.comments(item.LineComment, true)
			value, err := read(item, true)
			if err != nil {
				return nil, err
			}
			list.items = append(list.items, value)
			list.comments(item.FootComment, false)
		}
		if !handled {
			list.comments(node.FootComment, false)
		}
		return list, nil
	case yaml.MappingNode:
		entries := &collection{isMap: true}
		return entries, readEntries(entries, node, handled)
	}
	return nil, errRefused
}

func readEntries(entries *collection, node *yaml.Node, handled bool) error {
	if !handled {
		entries.comments(node.HeadComment, false)
		entries.comments(node.LineComment, false)
	}
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		var name interface{}
		if err := key.Decode(&name); err != nil {
			return err
		}
		text, ok := name.(string)
		if !ok || key.Kind != yaml.ScalarNode || key.ShortTag() == "!!binary" {
			return errRefused
		}
		entries.comments(key.HeadComment, false)
		entries.comments(key.LineComment, false)
		plain := value.Kind == yaml.ScalarNode || value.Kind == yaml.AliasNode
		if plain {
			entries.comments(value.HeadComment, false)
			entries.comments(value.LineComment, true)
		}
		read, err := read(value, plain)
		if err != nil {
			return err
		}
		entries.items = append(entries.items, entry{text, read})
		if plain {
			entries.comments(value.FootComment, false)
		}
		entries.comments(key.FootComment, false)
	}
	if !handled {
		entries.comments(node.FootComment, false)
	}
	return nil
}

func readDocument(doc *yaml.Node) (*collection, error) {
	root := &collection{isMap: true}
	root.comments(doc.HeadComment, false)
	root.comments(doc.LineComment, false)
	for _, node := range doc.Content {
		switch {
		case node.Kind == yaml.MappingNode:
			if err := readEntries(root, node, false); err != nil {
				return nil, err
			}
		case node.Kind == yaml.ScalarNode && node.Value == "" && node.Tag == "!!null" && node.Anchor == "":
			root.comments(node.HeadComment, false)
			root.comments(node.LineComment, false)
			root.comments(node.FootComment, false)
		default:
			return nil, errRefused
		}
	}
	root.comments(doc.FootComment, false)
	return root, nil
}

func joined(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "#" + strings.Join(lines, "\n#")
}

func after(first, second string) string {
	if first == "" || second == "" {
		return first + second
	}
	return first + "\n" + second
}

func write(value interface{}) *yaml.Node {
	from, ok := value.(*collection)
	if !ok {
		node := &yaml.Node{}
		if err := node.Encode(value); err != nil {
			panic(err)
		}
		return node
	}
	to := &yaml.Node{Kind: yaml.SequenceNode}
	if from.isMap {
		to.Kind = yaml.MappingNode
	}
	var head, inline []string
	for _, item := range from.items {
		if c, ok := item.(comment); ok {
			if c.inline {
				inline = append(inline, c.text)
			} else {
				head = append(head, c.text)
			}
			continue
		}
		if len(to.Content) == 0 {
			to.HeadComment = after(joined(head), to.HeadComment)
			head = nil
		}
		if e, ok := item.(entry); ok {
			key := write(e.key)
			key.HeadComment = joined(head)
			value := write(e.value)
			value.LineComment = after(value.LineComment, joined(inline))
			to.Content = append(to.Content, key, value)
		} else {
			value := write(item)
			value.HeadComment = after(joined(head), value.HeadComment)
			value.LineComment = after(value.LineComment, joined(inline))
			to.Content = append(to.Content, value)
		}
		head, inline = nil, nil
	}
	rest := joined(append(head, inline...))
	switch {
	case rest == "":
	case len(to.Content) == 0:
		to.HeadComment = after(rest, to.HeadComment)
	case from.isMap:
		key := to.Content[len(to.Content)-2]
		key.FootComment = after(key.FootComment, rest)
	default:
		last := to.Content[len(to.Content)-1]
		last.FootComment = after(last.FootComment, rest)
	}
	return to
}

func convert(in []byte, indent int) (text []byte) {
	defer func() {
		if recover() != nil {
			text = nil
		}
	}()
	if err := yaml.NewDecoder(bytes.NewReader(in)).Decode(make(map[string]interface{})); err != nil {
		return nil
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(indent)
	decoder := yaml.NewDecoder(bytes.NewReader(in))
	for {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil
		}
		tree, err := readDocument(&doc)
		if err != nil {
			return nil
		}
		if err := encoder.Encode(&yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{write(tree)}}); err != nil {
			return nil
		}
	}
	encoder.Close()
	return out.Bytes()
}

func main() {
	indent, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
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
		text = convert(text, indent)
		fmt.Fprintf(out, "%d\n%s", len(text), text)
	}
}
