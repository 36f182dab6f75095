//! Components that go on where a template was.

use super::super::tests::{batch, guests, load, options, replaced, texts};
use super::*;

/// What it was told it knows from the beginning, each time something else; the template itself knows nothing.
#[tokio::test]
async fn what_it_was_told_stays() {
    let bytes = guests::stamped("template-001");
    let template = Template::new(bytes.to_vec());
    let go_on = |bytes: Vec<u8>| load(bytes, options(r#"{"do": "go on"}"#)).unwrap();
    let input = batch(&[&[("victim", "a")]]);
    for _ in 0..2 {
        let stamping = go_on(template.filled(r#"{"do": "stamp"}"#).unwrap());
        assert!(texts(&replaced(stamping.run(&input).await)).contains(&"template-001".to_owned()));
        let trapping = go_on(template.filled(r#"{"do": "trap"}"#).unwrap());
        let failed = trapping.run(&input).await.unwrap_err().error.to_string();
        assert!(failed.contains("as I was told"), "{failed}");
    }
    let knows_nothing = go_on(bytes.to_vec());
    let failed = knows_nothing.run(&input).await.unwrap_err().error.to_string();
    assert!(failed.contains("I do not know how to"), "{failed}");
}

/// What a template has against the text, what goes wrong in it, and what is none.
#[test]
fn what_does_not_work_is_said() {
    let template = Template::new(guests::guest("mad-attributes").to_vec());
    let refused = |what: &str| template.filled(&format!(r#"{{"do": "{what}"}}"#)).unwrap_err().to_string();
    assert_eq!(refused("refuse configure"), "this configuration is not to my taste");
    assert!(
        refused("panic in configure").contains("no configuration will ever do"),
        "{}",
        refused("panic in configure")
    );
    assert!(template.filled("no JSON").is_err());
    template.filled("{}").unwrap();
    for broken in [&b""[..], b"no component", &guests::guest("mad-attributes")[..5000]] {
        let error = Template::new(broken.to_vec()).filled("{}").unwrap_err();
        assert!(!error.to_string().is_empty());
    }
}
