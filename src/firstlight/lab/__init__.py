"""The place to sit: a real Jupyter Server, configured and never forked, opened on the lesson.

| file | holds |
|---|---|
| `home.py` | where our own Jupyter files are, and what is written there |
| `folder.py` | the learner's folder: lessons copied once, never overwritten |
| `running.py` | the labs that run now: found, listed, stopped, swept up after |
| `remote.py` | what other machines need: certificate, password, names, ssh line |
| `identity.py` | who may come in: token, password, the brake on guessing, the login page |
| `server.py` | the server itself: settings, messages, Ctrl-C |
| `kernels.py` | how kernels are started: their own messages go to the log file |
| `extension.py` | what runs inside any Jupyter Server of ours: `/firstlight/api/health` |
| `warm.py` | what runs inside a kernel before the learner's first cell |
| `selftest.py` | a newcomer's first quarter of an hour, done by a program |

Promises: nothing of `~/.jupyter` or `~/.ipython` is read or written; the token stands in the printed URL and nowhere
else that another person can read; kernels get `FIRSTLIGHT_LANG` and `FIRSTLIGHT_RUNS` and are this very Python.
"""
