//! Text of single trees whose form real sops showed. Whole documents are compared in `file::convert`.

use super::*;

fn map(entries: Vec<Token<'static>>) -> Vec<Token<'static>> {
    let mut tokens = vec![Token::OpenMap];
    tokens.extend(entries);
    tokens.push(Token::Close);
    tokens
}

fn text(text: &'static str) -> Token<'static> {
    Token::Value(Value::borrowed(text.as_bytes()))
}

fn comment(text: &'static str) -> Token<'static> {
    Token::Comment(CommentText {
        text: Text::Borrowed(text.as_bytes()),
        is_inline: false,
    })
}

#[track_caller]
fn written(tokens: &[Token<'_>], format: Format) -> Result<String, ConvertError> {
    let part = tokens.iter().collect();
    let text = write(&[part], format, Layout::default(), Floats::AsSops)?;
    Ok(String::from_utf8_lossy(text.expose()).into_owned())
}

// sops-format.md 12.3 and 12.1; null is ours.
#[test]
fn dotenv_has_one_line_per_entry_and_no_containers() {
    let tree = map(vec![
        comment("one\ntwo"),
        Token::Key("F"),
        Token::Value(Value::Float(3.0)),
        Token::Key("S"),
        text("a\nb"),
        Token::Key("N"),
        Token::Null,
    ]);
    assert_eq!(
        written(&tree, Format::Dotenv).unwrap(),
        "#one\n#two\nF=3.0\nS=a\\nb\nN=\n"
    );
    let tree = map(vec![Token::Key("L"), Token::OpenList, Token::Close]);
    assert!(matches!(
        written(&tree, Format::Dotenv),
        Err(ConvertError::Container { key, .. }) if key == "L"
    ));
    for key in ["#a", "a=b", "sops_mac"] {
        let tree = map(vec![Token::Key(key), text("x")]);
        assert!(matches!(
            written(&tree, Format::Dotenv),
            Err(ConvertError::BadKey { .. })
        ));
    }
}

// sops-format.md 12.2, "Writer".
#[test]
fn ini_pads_keys_and_protects_what_would_not_read_back() {
    let tree = map(vec![
        Token::Key("DEFAULT"),
        Token::OpenMap,
        Token::Close,
        Token::Key("a"),
        Token::OpenMap,
        comment("one\n# two"),
        Token::Key("longer"),
        text("x;y"),
        comment("of longer"),
        Token::Key("k"),
        text("\"q\""),
        Token::Key("e"),
        text(""),
        Token::Close,
        Token::Key("b"),
        Token::OpenMap,
        Token::Close,
    ]);
    assert_eq!(
        written(&tree, Format::Ini).unwrap(),
        "; one\n# two\n[a]\n; of longer\nlonger = `x;y`\nk      = '\"q\"'\ne      = \n\n[b]\n"
    );
    let tree = map(vec![Token::Key("a"), text("x")]);
    assert!(matches!(
        written(&tree, Format::Ini),
        Err(ConvertError::Container { .. })
    ));
}

#[test]
fn json_refuses_what_it_would_change() {
    let nan = map(vec![Token::Key("a"), Token::Value(Value::Float(f64::NAN))]);
    assert!(matches!(
        written(&nan, Format::Json),
        Err(ConvertError::NotFinite { .. })
    ));
    let bytes = map(vec![
        Token::Key("a"),
        Token::Value(Value::borrowed(b"\xff")),
    ]);
    assert!(matches!(
        written(&bytes, Format::Json),
        Err(ConvertError::NotText { .. })
    ));
}

#[test]
fn only_yaml_holds_several_documents() {
    let tree = map(Vec::new());
    let part: Vec<&Token<'_>> = tree.iter().collect();
    let two = [part.clone(), part];
    let layout = Layout::default();
    let yaml = write(&two, Format::Yaml, layout, Floats::AsSops).unwrap();
    assert_eq!(yaml.expose(), b"{}\n---\n{}\n");
    for format in [Format::Json, Format::Ini, Format::Dotenv, Format::Binary] {
        assert!(matches!(
            write(&two, format, layout, Floats::AsSops),
            Err(ConvertError::SeveralDocuments(_))
        ));
    }
}

// go-yaml writes the hint `4` here, with which its own reader loses blanks.
#[test]
fn a_text_in_a_list_that_starts_with_a_blank_is_quoted() {
    let tree = map(vec![
        Token::Key("l"),
        Token::OpenList,
        text(" a\nb"),
        Token::Close,
        Token::Key("k"),
        text(" a\nb"),
    ]);
    assert_eq!(
        written(&tree, Format::Yaml).unwrap(),
        "l:\n    - \" a\\nb\"\nk: |4-\n     a\n    b\n"
    );
}
