# Functions for the commands of transcripts.

. "$COMMANDS"

# Run a reported session quietly; `server` and `testmo` to these servers. `summary` shows what it prints of its report.
report() { python -m pytest -q -p no:cacheprovider --automation-report "$@" >/dev/null; }
server() { report --automation-report-url="$ADDRESS" --automation-report-project-id=1 --automation-report-source=suite "$@"; }
testmo() {
  local place=($TESTMO)
  report --automation-report-url="${place[1]}" --automation-report-project-id=1 --automation-report-source=suite "$@"
}
by_key() { server --automation-report-run-key="$KEY" "$@"; }
summary() { python -m pytest -p no:cacheprovider --automation-report "$@" | sed -n '/= automation report =/,/^=/{//!p}'; }
# Run a session whose server is not there, in a spool of its own; show what is said of its results.
unheard() {
  local ADDRESS=http://127.0.0.1:9 spool
  spool=$(mktemp -d spool.XXXX)
  python -m pytest -p no:cacheprovider --automation-report --automation-report-url=$ADDRESS --automation-report-project-id=1 \
    --automation-report-source=suite --automation-report-spool="$spool" "$@" 2>&1 |
    grep -e kept -e ^send: -e 'exit status' | sed "s/ --spool=.*//; s/$spool/SPOOL/"
  return "${PIPESTATUS[0]}"
}
# Run again what failed, or what $WHICH says; show what is said of that, and the last line.
again() {
  python -m pytest -p no:cacheprovider --automation-report "--automation-report-rerun-failed${WHICH:+=$WHICH}" "$@" |
    grep -e ' run [0-9]' -e ' in [0-9.]*s' | grep -v -e results -e open | sed 's/^=* \(.*\) =*$/\1/'
  return "${PIPESTATUS[0]}"
}

# Serve until the address is known; print what is said on stderr.
served() {
  local address
  exec 3< <(exec automation-report serve --port 0 "$@")
  read -r address <&3
  kill $!
  cat <&3
}

# What stands in the folder, without Python's bytecode, which some environments forbid.
ls() { command ls --ignore=__pycache__ "$@"; }

# Write the ini file of a project at a server, with these lines.
ini() {
  printf '%s\n' '[pytest]' 'automation_report_project_id = 1' 'automation_report_source = suite' "$@" >pytest.ini
}

# Write JUnit XML: a file, and its cases; one with a ! failed.
junit() {
  local file=$1 name
  shift
  mkdir -p "$(dirname "$file")"
  {
    echo '<testsuites><testsuite name="suite">'
    for name; do
      echo "<testcase classname=\"tests.mod\" name=\"${name%!}\" time=\"0.01\">"
      [ "$name" = "${name%!}" ] || echo '<failure message="no">because</failure>'
      echo '</testcase>'
    done
    echo '</testsuite></testsuites>'
  } >"$file"
}

# Run a command without the token, or as a job of GitHub's for a branch and a commit of one digit, repeated.
no_token() (
  unset AUTOMATION_REPORT_TOKEN
  "$@"
)
job() (
  export GITHUB_ACTIONS=true GITHUB_REF="refs/heads/$1" GITHUB_REF_NAME="$1" GITHUB_SHA
  GITHUB_SHA=$(printf '%040d' 0 | tr 0 "$2")
  shift 2
  "$@"
)
