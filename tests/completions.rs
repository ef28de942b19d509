//! The committed completion scripts are those that the program writes.

#![cfg(feature = "completions")]

use std::process::Command;

// Without a feature its command is missing.
#[cfg(feature = "man")]
#[test]
fn committed_completions_are_up_to_date() {
    let files = [
        ("bash", "deploylock.bash"),
        ("zsh", "_deploylock"),
        ("fish", "deploylock.fish"),
        ("elvish", "deploylock.elv"),
        ("powershell", "_deploylock.ps1"),
    ];
    for (shell, file) in files {
        let output =
            Command::new(env!("CARGO_BIN_EXE_deploylock")).args(["completions", shell]).output().unwrap();
        assert!(output.status.success());
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("completions").join(file);
        let committed = std::fs::read(&path).unwrap_or_default();
        assert!(
            committed == output.stdout,
            "{} is not what the program writes; run `deploylock completions {shell} > completions/{file}`",
            path.display()
        );
    }
}

#[test]
fn each_command_is_described_by_its_own_words() {
    let of = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_deploylock")).args(args).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let help = of(&["--help"]);
    let commands = help.split("Commands:\n").nth(1).unwrap().lines().take_while(|l| l.starts_with("  "));
    let fish = of(&["completions", "fish"]).replace("\\'", "'");
    for line in commands.filter(|l| !l.starts_with("    ")) {
        let (name, about) = line.trim().split_once(' ').unwrap();
        let about = about.trim();
        assert!(of(&[name, "--help"]).replace('\n', " ").starts_with(about), "{name} --help: {about}");
        assert!(fish.contains(&format!("-f -a \"{name}\" -d '{about}")), "fish: {name}: {about}");
    }
}
