//! `completions`: a script for a shell. What clap writes, and where names are known only when they are asked for,
//! a call of the hidden `__complete` (`names`).

use std::collections::BTreeMap;

use clap::{Arg, Args};
use clap_complete::Shell;

use super::context::Context;
use super::names::Offer;
use super::terminal::say;
use super::{Answer, Exec, failure::code, grammar};

#[derive(Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

impl Exec for Completions {
    fn exec(self, _context: &Context) -> Answer {
        say(&script(self.shell))?;
        Ok(code::DONE)
    }
}

/// The script for a shell.
pub fn script(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut grammar(), "deploylock", &mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    match shell {
        Shell::Bash => bash(text),
        Shell::Fish => fish(text),
        Shell::Zsh => zsh(&text),
        _ => text,
    }
}

impl Offer {
    /// What an option or an argument of the grammar takes.
    fn of(arg: &clap::Arg) -> Option<Offer> {
        let value = arg.get_value_names()?.first()?.as_str();
        match (arg.get_long(), value) {
            (Some("env"), _) => Some(Offer::Environments),
            (Some("app"), _) => Some(Offer::Applications),
            (Some("container"), _) => Some(Offer::Containers),
            (Some("lock"), "NAME") => Some(Offer::Names),
            (Some("lock"), _) => Some(Offer::Locks),
            (_, "ID") => Some(Offer::Ids),
            _ => None,
        }
    }
}

/// Every command with its arguments.
fn commands() -> Vec<clap::Command> {
    let mut program = grammar();
    program.build();
    program.get_subcommands().cloned().collect()
}

/// `-e`, `--env`, as a pattern of a shell's `case`.
fn pattern<'a>(args: impl Iterator<Item = &'a Arg>) -> String {
    let names = args.flat_map(|arg| {
        let short = arg.get_short().map(|c| format!("-{c}"));
        short.into_iter().chain(arg.get_long().map(|l| format!("--{l}")))
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.dedup();
    names.join("|")
}

/// What clap writes does not tell a value's name from its value, and knows nothing that is not in the grammar: a
/// function of our own goes before it.
fn bash(text: String) -> String {
    let commands = commands();
    let mut cases = String::new();
    let with_values = |c: &clap::Command| {
        let valued = |a: &&Arg| {
            !a.is_positional()
                && a.get_action().takes_values()
                && a.get_num_args().is_none_or(|n| n.min_values() > 0)
        };
        c.get_arguments().filter(valued).cloned().collect::<Vec<_>>()
    };
    for command in &commands {
        let args = with_values(command);
        let mut offers: BTreeMap<Offer, Vec<&Arg>> = BTreeMap::new();
        for arg in &args {
            if let Some(offer) = Offer::of(arg) {
                offers.entry(offer).or_default().push(arg);
            }
        }
        let name = command.get_name();
        let options = |args: &[&Arg]| pattern(args.iter().copied()).replace('|', &format!("|{name}:"));
        for (offer, args) in &offers {
            cases.push_str(&format!("        {name}:{}) offer={} ;;\n", options(args), offer.word()));
        }
        if let Some(offer) = command.get_positionals().find_map(Offer::of) {
            let rest: Vec<&Arg> = args.iter().filter(|a| Offer::of(a).is_none()).collect();
            cases.push_str(&format!("        {name}:{}) ;;\n", options(&rest)));
            cases.push_str(&format!("        {name}:*) [[ $word == -* ]] || offer={} ;;\n", offer.word()));
        }
    }
    let names: Vec<&str> = commands.iter().map(clap::Command::get_name).collect();
    let own = BASH.replace("@COMMANDS@", &names.join("|")).replace("@CASES@", cases.trim_end());
    text.replace("complete -F _deploylock -o", "complete -F _deploylock_names -o").trim_end().to_owned()
        + "\n\n"
        + &own
}

const BASH: &str = r#"# Names that are known only now, asked of deploylock itself; for all else what stands above.
_deploylock_names() {
    local word="$2" before="$3" line command="" offer="" value i
    local -a typed
    COMPREPLY=()
    # The words as they were typed: bash takes them apart at = and : as well.
    line="${COMP_LINE:0:COMP_POINT}"
    read -r -a typed <<<"$line"
    word=""
    case "$line" in
        *[[:space:]]) ;;
        *)
            word="${typed[${#typed[@]}-1]}"
            unset "typed[${#typed[@]}-1]"
            ;;
    esac
    before="${typed[${#typed[@]}-1]}"
    case "$word" in
        --*=*) before="${word%%=*}" word="${word#*=}" ;;
    esac
    for value in "${typed[@]:1}"; do
        case "$value" in
            --) return 0 ;; # The command to run: files, and whatever bash knows of it.
            @COMMANDS@) [ -n "$command" ] || command="$value" ;;
        esac
    done
    case "$command:$before" in
@CASES@
    esac
    if [ -z "$offer" ]; then
        _deploylock "$@"
        # clap offers the names of arguments as if they were words to type.
        for i in "${!COMPREPLY[@]}"; do
            case "${COMPREPLY[i]}" in
                \[*|\<*) unset "COMPREPLY[i]" ;;
            esac
        done
        return 0
    fi
    # What bash takes for the word begins after the last = or : of it.
    local given="${word%"${word##*[:=]}"}"
    [[ $COMP_WORDBREAKS == *:* ]] || given=""
    while IFS=$'\t' read -r value _; do
        if [[ $value == "$word"* ]]; then
            printf -v value %q "${value#"$given"}"
            COMPREPLY+=("$value")
        fi
    done < <(command deploylock __complete "$offer" "${typed[@]:1}" 2>/dev/null)
    return 0
}
"#;

/// Where clap's script takes any file for a value, ours asks for names.
fn zsh(text: &str) -> String {
    let (mut script, commands) = (String::new(), commands());
    let mut command = None;
    for line in text.lines() {
        if let Some(name) = line.trim().strip_prefix('(').and_then(|l| l.strip_suffix(')'))
            && let Some(found) = commands.iter().find(|c| c.get_name() == name)
        {
            command = Some(found);
        }
        let offer = command.and_then(|c| zsh_offer(c, line));
        let line = match offer {
            Some(offer) => line.replace(":_default'", &format!(":_deploylock_names {}'", offer.word())),
            None => line.to_owned(),
        };
        script.push_str(&line);
        script.push('\n');
        if line == "_deploylock() {" {
            script.push_str(
                "    local -a deploylock_typed\n    deploylock_typed=(\"${(@Q)words[2,CURRENT]}\")\n",
            );
        }
    }
    script.replacen("_deploylock() {\n", &format!("{ZSH}_deploylock() {{\n"), 1)
}

const ZSH: &str = r#"# Names that are known only now, asked of deploylock itself.
_deploylock_names() {
    local offer=$argv[-1] line # Before it stand options of compadd.
    local -a found
    for line in "${(@f)$(command deploylock __complete $offer "${deploylock_typed[@]}" 2>/dev/null)}"; do
        [[ -n $line ]] && found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done
    _describe -t $offer $offer found
}

"#;

/// What an option's line, such as `'*-c+[…]:C:_default' \`, or an argument's, `'*::id -- …:_default' \`, takes.
fn zsh_offer(command: &clap::Command, line: &str) -> Option<Offer> {
    let arg = command.get_arguments().find(|arg| {
        let short = arg.get_short().is_some_and(|c| line.contains(&format!("-{c}+[")));
        let long = arg.get_long().is_some_and(|l| line.contains(&format!("--{l}=[")));
        let positional = arg.is_positional() && line.contains(&format!(":{} --", arg.get_id().as_str()));
        short || long || positional
    })?;
    Offer::of(arg)
}

/// An argument of their own for the options that take names, and lines for arguments, of which clap says nothing.
fn fish(text: String) -> String {
    let (mut script, commands) = (String::new(), commands());
    for line in text.lines() {
        script.push_str(line);
        if let Some(offer) = fish_offer(&commands, line) {
            script.push_str(&format!(" -f -a \"(__deploylock_names {})\"", offer.word()));
        }
        script.push('\n');
    }
    for command in &commands {
        if let Some(offer) = command.get_positionals().find_map(Offer::of) {
            script.push_str(&format!(
                "complete -c deploylock -n \"__fish_deploylock_using_subcommand {}\" -f -a \"(__deploylock_names {})\"\n",
                command.get_name(),
                offer.word()
            ));
        }
    }
    format!("{FISH}{script}")
}

const FISH: &str = r#"# Names that are known only now, asked of deploylock itself.
function __deploylock_names
    set -l typed (commandline -opc)
    command deploylock __complete $argv[1] $typed[2..-1] 2>/dev/null
end

"#;

fn fish_offer(commands: &[clap::Command], line: &str) -> Option<Offer> {
    let name = line.split_once("__fish_deploylock_using_subcommand ")?.1.split('"').next()?;
    let long = line.split_once(" -l ")?.1.split(' ').next()?;
    let command = commands.iter().find(|c| c.get_name() == name)?;
    Offer::of(command.get_arguments().find(|a| a.get_long() == Some(long))?)
}
