# SPDX-License-Identifier: GPL-2.0-or-later
"""One service as systemd would run it: readiness, descriptor store, restart, the job it is under."""

import array
import fcntl
import os
import select
import signal
import socket
import sys

from lablib import linux, units

STOP_TIMEOUT_SEC = 10
RESTART_SEC = 0.05  # doubled at each failure in a row, up to RESTART_MAX_SEC
RESTART_MAX_SEC = 2
STORE_MAX = 4096


class Service:
    """States: inactive, activating, active, deactivating, restarting (waits to be started again), failed."""

    def __init__(self, name, argv, loop, environment, final=()):
        """final: exit statuses after which it is not started again by itself."""
        self.name = name
        self.final = final
        self.argv = argv
        self.loop = loop
        self.environment = environment
        self.state = "inactive"
        self.status_text = ""
        self.pid = 0
        self.pidfd = -1
        self.store = []  # (FDNAME, descriptor)
        self.starts = 0
        self.held = False  # a lab's own: does not come back by itself
        self.failures = 0  # deaths since it was last ready
        self.last_end = "never ran"
        self.after_stop = None  # "stop" or "restart" while deactivating
        self.waiters = []
        self.timer = None
        self.stop_file = f"/run/netipsec/stop.{name}"
        self.notify_path = f"{units.HOME}/notify/{name}"
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.notify.bind(self.notify_path)
        os.chmod(self.notify_path, 0o666)
        loop.watch(self.notify.fileno(), select.EPOLLIN, self.on_notify)

    def facts(self):
        """What `systemctl status` shows."""
        return {"name": self.name, "state": self.state, "pid": self.pid, "starts": self.starts,
                "status": self.status_text, "last_end": self.last_end,
                "stored": [name for name, _ in self.store]}

    # jobs: done(ok, text) is called once, when the job is finished

    def start(self, done):
        if self.state == "active":
            done(True, "")
        elif self.state == "deactivating":
            done(False, f"{self.name} is stopping")
        else:
            self.waiters.append(("active", done))
            if self.state != "activating":
                self.spawn()

    def stop(self, done, job="stop"):
        if self.state in ("inactive", "restarting", "failed"):
            self._cancel_timer()
            self.state = "inactive"
            if job == "restart":
                self.start(done)
            else:
                self._drop_store()
                done(True, "")
            return
        self.after_stop = job
        self.waiters.append(("active" if job == "restart" else "inactive", done))
        if job == "stop":
            # What the service manager's job says elsewhere: withdraw, this is no restart.
            with open(self.stop_file, "w", encoding="ascii"):
                pass
        self.state = "deactivating"
        self.kill(signal.SIGTERM)
        self._cancel_timer()
        self.timer = self.loop.after(STOP_TIMEOUT_SEC, lambda: self.kill(signal.SIGKILL))

    def restart(self, done):
        self.stop(done, "restart")

    def hold(self, held):
        """Keep it down once it dies, its descriptors kept; or let it come back."""
        self.held = held
        if not held and self.state == "restarting" and self.timer is None:
            self.spawn()

    def kill(self, number):
        """Signal the main process; False when there is none."""
        if self.pidfd < 0:
            return False
        try:
            signal.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            return False
        return True

    def reload(self, outputs, done):
        """Run the unit's ExecReload with the caller's output; done when it has ended."""
        if self.state != "active":
            done(False, f"{self.name} is {self.state}, it cannot be reloaded")
            return
        pid = os.fork()
        if pid == 0:
            self._exec([self.argv[0], "--reload"], dict(self.environment), outputs)
        pidfd = os.pidfd_open(pid)

        def ended():
            self.loop.forget(pidfd)
            os.close(pidfd)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            done(code == 0, "" if code == 0 else f"reload of {self.name} ended with {code}")
        self.loop.watch(pidfd, select.EPOLLIN, ended)

    # the process

    def spawn(self):
        self._cancel_timer()
        if os.path.exists(self.stop_file):
            os.unlink(self.stop_file)
        self.state, self.after_stop = "activating", None
        self.starts += 1
        log = os.open(f"{units.HOME}/log/{self.name}.log",
                      os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        pid = os.fork()
        if pid == 0:
            environment = dict(self.environment, NOTIFY_SOCKET=self.notify_path,
                               NETIPSEC_STOP_FILE=self.stop_file)
            self._exec(self.argv, environment, (log, log), self.store)
        os.close(log)
        self.pid, self.pidfd = pid, os.pidfd_open(pid)
        self.loop.watch(self.pidfd, select.EPOLLIN, self.on_end)

    @staticmethod
    def _exec(argv, environment, outputs, store=()):
        """In the child: never returns."""
        try:
            os.setsid()
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            null = os.open("/dev/null", os.O_RDONLY)
            high = 3 + len(store)
            moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, high)
                     for fd in (null, *outputs, *(fd for _, fd in store))]
            for number, fd in enumerate(moved):
                os.dup2(fd, number)
            if store:
                environment.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(store)),
                                   LISTEN_FDNAMES=":".join(name for name, _ in store))
            os.execve(argv[0], argv, environment)
        except OSError as why:
            os.write(2, f"{argv[0]}: {why.strerror}\n".encode())
        finally:
            os._exit(127)

    def on_end(self):
        self.loop.forget(self.pidfd)
        os.close(self.pidfd)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.last_end = f"exit status {code}" if code >= 0 else f"signal {-code}"
        self.pid, self.pidfd = 0, -1
        self._cancel_timer()
        if self.state == "deactivating" and self.after_stop == "stop":
            self.state = "inactive"
            self._drop_store()
            self._answer("inactive")
        elif self.state == "deactivating":
            self.spawn()
        elif code in self.final:
            self.state = "failed"
            self.failures += 1
            print(f"{self.name}: {self.last_end}, stays down", file=sys.stderr)
            self._drop_store()
            self._answer("failed")
        else:
            self.state = "restarting"
            self.failures += 1
            if self.held:
                return
            delay = min(RESTART_SEC * 2 ** min(self.failures - 1, 10), RESTART_MAX_SEC)
            print(f"{self.name}: {self.last_end}, starts again", file=sys.stderr)
            self.timer = self.loop.after(delay, self.spawn)

    def _answer(self, state):
        ready = [done for want, done in self.waiters if want == state]
        refused = [done for want, done in self.waiters if want != state]
        self.waiters = []
        for done in ready:
            done(True, "")
        for done in refused:
            done(False, f"{self.name} is {state}")

    def _cancel_timer(self):
        if self.timer is not None:
            self.loop.cancel(self.timer)
            self.timer = None

    # sd_notify

    def on_notify(self):
        room = socket.CMSG_SPACE(253 * array.array("i").itemsize)
        try:
            data, ancillary, _, _ = self.notify.recvmsg(65536, room, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        fds = array.array("i")
        for level, kind, raw in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(raw[:len(raw) - len(raw) % fds.itemsize])
        lines = dict(line.split("=", 1) for line in data.decode(errors="replace").splitlines()
                     if "=" in line)
        kept = self._store_message(lines, list(fds))
        for fd in fds:
            if fd not in kept:
                os.close(fd)  # for BARRIER=1 closing is the answer
        if "STATUS" in lines:
            self.status_text = lines["STATUS"]
        if lines.get("READY") == "1" and self.state == "activating":
            self.state = "active"
            self.failures = 0
            self._answer("active")

    def _store_message(self, lines, fds):
        """FDSTORE=1 and FDSTOREREMOVE=1; returns the descriptors that were kept."""
        name = lines.get("FDNAME", "stored")
        if lines.get("FDSTOREREMOVE") == "1":
            for entry in [entry for entry in self.store if entry[0] == name]:
                self._unstore(entry)
        if lines.get("FDSTORE") != "1":
            return []
        kept = []
        for fd in fds:
            if (len(self.store) >= STORE_MAX
                    or any(linux.same_file(fd, other) for _, other in self.store)):
                continue
            entry = (name, fd)
            self.store.append(entry)
            kept.append(fd)
            if lines.get("FDPOLL") != "0":
                # As systemd does: a descriptor with an error or hang-up leaves the store.
                try:
                    self.loop.watch(fd, select.EPOLLERR | select.EPOLLHUP,
                                    lambda entry=entry: self._unstore(entry))
                except PermissionError:
                    pass  # a file or memfd cannot be polled
        return kept

    def _unstore(self, entry):
        self.store.remove(entry)
        self.loop.forget(entry[1])
        os.close(entry[1])

    def _drop_store(self):
        while self.store:
            self._unstore(self.store[0])
