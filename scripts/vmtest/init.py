# SPDX-License-Identifier: GPL-2.0
"""The script a QEMU guest runs under virtme-ng's init; a file avoids quoting and length limits."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

# COMMAND gets pipes, not the virtio ports themselves: a port can be opened only once, so
# /dev/stderr would fail.
SCRIPT = """\
#!/bin/bash
fail() {{
	echo "setup: $*" >{run}/status
	exit 1
}}
port() {{
	local file name
	for file in /sys/class/virtio-ports/*/name; do
		read -r name <"$file"
		file=${{file%/name}}
		[ "$name" != "$1" ] || {{ echo "${{file##*/}}"; return; }}
	done
}}
export {environment}
{insmod}
cd {cwd} || fail "cannot enter {cwd}"
{command}
"""

# From a subshell: bash's own redirection failing would be silent.
INSMOD = """\
printed=$(insmod {module} {parameters} 2>&1) || fail "loading zero_page.ko: $printed"
"""

COMMAND = """\
mkfifo /run/vm.out /run/vm.err
cat </run/vm.out >"/dev/$(port vm.out)" &
out=$!
cat </run/vm.err >"/dev/$(port vm.err)" &
err=$!
{command} </dev/null >/run/vm.out 2>/run/vm.err
echo $? >{run}/status
# What COMMAND left running may hold its output open: do not wait for that.
for i in $(seq 20); do
	kill -0 $out 2>/dev/null || kill -0 $err 2>/dev/null || break
	sleep 0.1
done
"""

SHELL = """\
stty rows {rows} cols {columns} 2>/dev/null
echo "The guest of zero_page; exit or Ctrl-D ends it."
exec /bin/bash -i
"""


def write(run_dir: Path, environment: str, command: list[str] | None,
          module: Path | None, parameters: str) -> Path:
    """Writes the script; `command` is None for a shell, `module` None to load none."""
    run = shlex.quote(str(run_dir))
    if command is None:
        size = shutil.get_terminal_size()
        end = SHELL.format(rows=size.lines, columns=size.columns)
    else:
        end = COMMAND.format(command=shlex.join(command), run=run)
    insmod = ""
    if module:
        insmod = INSMOD.format(module=shlex.quote(str(module)), parameters=parameters)
    script = run_dir / "guest.sh"
    script.write_text(SCRIPT.format(run=run, environment=environment, insmod=insmod,
                                    cwd=shlex.quote(os.getcwd()), command=end), encoding="utf-8")
    script.chmod(0o755)
    return script
