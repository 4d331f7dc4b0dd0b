#!/usr/bin/env bash
# Creates a post for one account, waits for it, and shows its steps. Start `cargo run --release -- demo` first.
set -euo pipefail
farm=${FARMHAND_SERVER:-http://127.0.0.1:50809}/api/v1

field() { # JSON on standard input, a key: the first number or word behind it
  grep -o "\"$1\": *\"\?[^\",}]*" | head -n 1 | sed 's/.*: *"\?//'
}

answer=$(curl -sS -X POST "$farm/task" -H 'Content-Type: application/json' -d '{
  "usernames": ["user1"],
  "script_name": "post",
  "script_config": {
    "captions": "{Hello|Good morning} from the shell",
    "material_list": ["C:/Videos/video1.mp4"]
  }
}')
echo "$answer"
task=$(grep -o '"task_ids":\[[0-9]*' <<<"$answer" | grep -o '[0-9]*$')

while status=$(curl -sS "$farm/task/$task" | field status) && [ "$status" -lt 2 ]; do
  echo "task $task: status $status"
  sleep 1
done
echo "task $task: status $status (2 is completed, 3 failed)"
curl -sS "$farm/task/$task" | grep -o '"label":"[^"]*"' | sed 's/"label":/step: /'
[ "$status" = 2 ]
