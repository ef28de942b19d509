//! The shell parts of the jobs that the pages show, for each kind of file as far as the pages use it.

/// A part and where in the job it stands.
#[derive(Debug)]
pub struct Part {
    pub section: String,
    pub shell: String,
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// What follows a `|`: the lines that are indented further than this one.
fn literal(lines: &[&str], at: usize) -> String {
    let deeper = lines[at + 1..].iter().take_while(|l| l.trim().is_empty() || indent(l) > indent(lines[at]));
    deeper.map(|line| format!("{line}\n")).collect()
}

/// `before_script` and `script`, which share a shell, and `after_script`.
pub fn gitlab(job: &str) -> (String, String) {
    let lines: Vec<&str> = job.lines().collect();
    let (mut section, mut both, mut after) = ("", String::new(), String::new());
    for (at, line) in lines.iter().enumerate() {
        let word = line.trim();
        if word.ends_with("script:") {
            section = word;
        } else if let Some(item) = word.strip_prefix("- ").filter(|_| !section.is_empty()) {
            let shell = if item == "|" { literal(&lines, at) } else { format!("{item}\n") };
            if section == "after_script:" { &mut after } else { &mut both }.push_str(&shell);
        }
    }
    (both, after)
}

/// The `run` of each step; its section is the step's `if`.
pub fn github(job: &str) -> Vec<Part> {
    let lines: Vec<&str> = job.lines().collect();
    let (mut parts, mut condition) = (Vec::new(), String::new());
    for (at, line) in lines.iter().enumerate() {
        let word = line.trim();
        if word.starts_with("- ") {
            condition.clear();
        } else if let Some(text) = word.strip_prefix("if: ") {
            text.clone_into(&mut condition);
        } else if let Some(text) = word.strip_prefix("run: ") {
            let shell = if text == "|" { literal(&lines, at) } else { text.to_owned() };
            parts.push(Part { section: condition.clone(), shell });
        }
    }
    parts
}

/// Each `sh '…'`; its section is the block around it.
pub fn jenkins(job: &str) -> Vec<Part> {
    let (mut parts, mut section) = (Vec::new(), String::new());
    for line in job.lines() {
        for (at, _) in line.match_indices(" {") {
            line[..at].rsplit([' ', ')']).next().unwrap_or_default().clone_into(&mut section);
        }
        if let Some((_, rest)) = line.split_once("sh '") {
            let shell = rest.rsplit_once('\'').unwrap().0.to_owned();
            parts.push(Part { section: section.clone(), shell });
        }
    }
    parts
}

/// Each shell task, by whether it stands in the `block` or under `always`.
pub fn ansible(playbook: &str) -> Vec<Part> {
    let (mut parts, mut section) = (Vec::new(), String::new());
    for line in playbook.lines() {
        match line.trim() {
            "block:" => "block".clone_into(&mut section),
            "always:" => "always".clone_into(&mut section),
            word => {
                let shell = word.strip_prefix("ansible.builtin.shell: ");
                parts.extend(shell.map(|s| Part { section: section.clone(), shell: s.to_owned() }));
            }
        }
    }
    parts
}

/// What each task captures or executes.
pub fn capistrano(tasks: &str) -> Vec<Part> {
    let (mut parts, mut section) = (Vec::new(), String::new());
    for line in tasks.lines() {
        if let Some(name) = line.trim().strip_prefix("task :") {
            name.trim_end_matches(" do").clone_into(&mut section);
        } else if line.contains("run_locally") {
            let shell = line.split('"').nth(1).unwrap().to_owned();
            parts.push(Part { section: section.clone(), shell });
        }
    }
    parts
}

/// The shell of each `Exec…=/bin/sh -c '…'`, as systemd unquotes it.
pub fn exec_lines(unit: &str) -> Vec<Part> {
    let lines = unit.lines().filter_map(|line| line.split_once("=/bin/sh -c '"));
    let part = |(key, rest): (&str, &str)| Part {
        section: key.to_owned(),
        shell: rest.trim_end_matches('\'').replace("$$", "$"),
    };
    lines.map(part).collect()
}
