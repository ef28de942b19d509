//! Errors as they are shown.

use super::parse;

#[test]
fn an_error_is_shown_with_its_place() {
    let error = parse("[environments.prod]\n\tegnine = \"bpm\" # \u{e9}\n").unwrap_err();
    let shown = "\
unknown key `egnine` in [environments.prod]: did you mean `engine`?
 --> deploylock.toml:2:2
  |
2 |  egnine = \"bpm\" # \u{e9}
  |  ^^^^^^";
    assert_eq!(error.to_string(), shown);
    let error = parse(&("\r\n".repeat(9) + "[locks]\r\n'é' = 1\r\n")).unwrap_err();
    let shown = "\
`é` must be a table, as in [locks.\"é\"], found a whole number
  --> deploylock.toml:11:7
   |
11 | 'é' = 1
   |       ^";
    assert_eq!(error.to_string(), shown);
}

#[test]
fn what_is_shown_commands_no_terminal() {
    let error = parse("[locks]\nx = \u{1b}[2J\n").unwrap_err();
    assert!(error.to_string().chars().all(|c| c == '\n' || !c.is_control()), "{error:?}");
    let error = parse("[store]\n\"\\u001b[2J\" = 1\n").unwrap_err();
    assert!(error.to_string().chars().all(|c| c == '\n' || !c.is_control()), "{error:?}");
}
