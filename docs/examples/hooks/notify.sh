#!/bin/sh
# A hook that says in a chat what happens to deployments: Slack, Mattermost, Rocket.Chat, Zulip's Slack endpoint and
# others take {"text": "..."} at an incoming webhook. Needs curl and jq, and the webhook's address:
#   CHAT_WEBHOOK_URL=https://chat.example.com/hooks/...
# deploylock gives the event as JSON on stdin and warns if this fails; the lock is never touched by that.
set -eu
: "${CHAT_WEBHOOK_URL:?set it to the address of the incoming webhook}"

# jq does the quoting, whatever is in a name or a reason.
jq -c '
  def seconds: if . == null then "" else " after \(. / 1000 | floor)s" end;
  def who: .by // .deployment.owner // "somebody";
  .deployment as $d
  | ([$d.application, $d.version, (if $d.environment then "to \($d.environment)" else null end)]
     | map(select(. != null)) | join(" ")) as $title
  | (if $title != "" then $title else ([$d.locks[]?.lock] | join(" ")) end) as $title
  | {
      wait:    "waits at place \($d.position // "?"), for \($d.waiting_for | join(", "))",
      grant:   "begins\(.waited_ms | seconds) of waiting",
      release: "is over: \(.outcome // .why // "ended")\(.held_ms | seconds)",
      stale:   "was dead (\($d.stale)); its locks were taken back by \(who)",
      clear:   "was cleared by \(who)"
    }[.event] as $what
  | {text: "\($title) (\($d.id), \($d.owner // "unknown owner")) \($what // .event)\(if $d.reason then ": \($d.reason)" else "" end)"}
' | curl -fsS --max-time 8 -o /dev/null -H 'Content-Type: application/json' --data-binary @- "$CHAT_WEBHOOK_URL"
