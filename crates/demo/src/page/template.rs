//! Fills the slots of the page's HTML, `{{name}}`, with HTML or with text.
//!
//! Invariant: what comes from outside enters a page only as [`text`].

/// HTML that may stand in a page as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Html(pub(crate) String);

/// Text, made harmless for element content and quoted attributes.
pub(crate) fn text(text: &str) -> Html {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    Html(html)
}

/// `template` with each slot replaced by what bears its name. A slot without a filling stays empty.
pub(crate) fn fill(template: &str, fillings: &[(&str, Html)]) -> Html {
    let mut pieces = template.split("{{");
    let mut html = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (slot, rest) = piece.split_once("}}").unwrap_or(("", piece));
        let filling = fillings.iter().find(|(name, _)| *name == slot);
        debug_assert!(filling.is_some(), "nothing fills {slot:?}");
        html.push_str(filling.map_or("", |(_, html)| &html.0));
        html.push_str(rest);
    }
    Html(html)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(text(r#"<b a="1" b='2'>&"#).0, "&lt;b a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;");
    }

    #[test]
    fn a_filling_is_not_filled_again() {
        let html = fill("{{a}}-{{b}}", &[("a", text("{{b}}")), ("b", text("x"))]);
        assert_eq!(html.0, "{{b}}-x");
    }
}
