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
| `keeping.py` | what cells print while no page is there |
| `saving.py` | notebooks on disk: whole or as before, and a clear word where one cannot be saved |
| `deaths.py` | why a kernel ended, and what may be offered then |
| `page/survive.js` | our part of the page: follows cells that run, saves, explains |
| `warm.py` | what runs inside a kernel before the learner's first cell |
| `lastwords.py` | inside a kernel: what is written below Python reaches the lab even when the process ends |
| `selftest.py` | a newcomer's first quarter of an hour, done by a program |

Promises: nothing of `~/.jupyter` or `~/.ipython` is read or written; the token stands in the printed URL and nowhere
else that another person can read; kernels get `FIRSTLIGHT_LANG` and `FIRSTLIGHT_RUNS` and are this very Python.
"""
