// Reads lines of YAML text and prints each with what go-yaml makes of it as the value of a key: the type, and the
// value as sops would hash it. `\\n` in a line stands for a line break.
//
//	cut -f1 vectors.tsv | go run . > new.tsv && diff vectors.tsv new.tsv
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

func describe(text string) string {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return "error"
	}
	if len(doc.Content) == 0 || len(doc.Content[0].Content) != 2 {
		return "shape"
	}
	node := doc.Content[0].Content[1]
	if node.Kind != yaml.ScalarNode {
		return "shape"
	}
	var value interface{}
	if err := node.Decode(&value); err != nil {
		return "bad"
	}
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return "bool\t" + strconv.FormatBool(v)
	case int:
		return "int\t" + strconv.Itoa(v)
	case int64:
		return "int\t" + strconv.FormatInt(v, 10)
	case uint64:
		return "uint64"
	case float64:
		if math.IsNaN(v) {
			return "float\tNaN"
		}
		return "float\t" + strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		b, err := v.MarshalText()
		if err != nil {
			return "time\toffset"
		}
		return "time\t" + string(b)
	case string:
		quoted, _ := json.Marshal(v)
		return "str\t" + string(quoted)
	}
	return fmt.Sprintf("other %T", value)
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for in.Scan() {
		line := strings.ReplaceAll(in.Text(), "\\n", "\n")
		fmt.Fprintln(out, in.Text()+"\t"+describe("k: "+line+"\n"))
	}
}
