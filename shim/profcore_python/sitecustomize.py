# SPDX-License-Identifier: Apache-2.0
"""What `profcore run --torch` puts into a Python that knows nothing of it: the forward of each nn.Module as a scope.

Also, torch's own profiler gets CUPTI, NVIDIA's tracing interface with one user at a time, while it runs.

Python imports this file when it starts, for its folder stands first in PYTHONPATH.  It arranges to be called when torch
has been imported, and makes way: the folder leaves sys.path, and a sitecustomize of the user's is imported instead.
No failure of it reaches the program, and where libprofcore is not in the process it does nothing.
"""
import os
import sys


def _record(torch):
    """Adds hooks around every forward from now on.  Each thread has a stack of the scopes that are open.

    In it a module and the frame that called a hook are addresses, which keep neither alive.
    """
    import ctypes
    import threading

    library = ctypes.PyDLL(None)  # whose calls keep Python's lock: they are shorter than giving it away
    begin, end, open_source = library.prof_operator_begin, library.prof_end, library.prof_operators_open
    begin.argtypes, begin.restype = (ctypes.c_void_p, ctypes.c_void_p), ctypes.c_uint64
    end.argtypes, end.restype = (ctypes.c_uint64,), None
    source = ctypes.c_void_p()
    if open_source(b"torch", ctypes.byref(source), None) != 0:
        raise RuntimeError("libprofcore has no room for them")
    source, texts, names, thread, script = source.value, [], {}, threading.local(), torch.jit.ScriptModule
    is_compiling = getattr(getattr(torch, "compiler", None), "is_compiling", lambda: False)

    def name_anew(name):
        """A name stays where it is, for its site is found by its address; classes of one name may come and go."""
        texts.append(ctypes.create_string_buffer(f"nn.Module: {name}".encode("utf-8", "replace")))
        names[name] = ctypes.addressof(texts[-1])
        return names[name]

    def end_what_was_left(opened, caller):
        """What no hook sees, such as KeyboardInterrupt, has ended those whose frame is not among these callers."""
        while opened:
            _, scope, address, code = opened[-1]
            frame = caller
            while frame is not None and id(frame) != address:
                frame = frame.f_back
            # Another frame at this address is not a module's, for that would have called a hook, and come here.
            if frame is not None and frame.f_code is code:
                return
            opened.pop()
            end(scope)

    def before(module, inputs):
        # What torch.compile() reads here is to find nothing to compile; of a script libtorch itself tells.
        if is_compiling() or isinstance(module, script):
            return
        frame, name = sys._getframe(1), type(module).__name__
        try:
            opened = thread.opened
        except AttributeError:
            opened = thread.opened = []
        if opened:
            end_what_was_left(opened, frame.f_back)
        scope = begin(source, names.get(name) or name_anew(name))
        opened.append((id(module), scope, id(frame), frame.f_code))

    def after(module, inputs, result):
        if is_compiling() or isinstance(module, script):
            return
        opened, address = getattr(thread, "opened", None), id(module)
        if opened and (opened[-1][0] == address or any(one[0] == address for one in opened)):
            inner = None
            while inner != address:  # before it those that were left by what no hook sees
                inner, scope, _, _ = opened.pop()
                end(scope)

    modules = torch.nn.modules.module
    modules.register_module_forward_pre_hook(before)
    try:
        modules.register_module_forward_hook(after, always_call=True)
    except TypeError:  # an older torch, which does not call it for a forward that raised
        modules.register_module_forward_hook(after)


def _make_room(torch):
    """torch's profiler gets CUPTI before it asks for it, where we have it; afterwards it is ours again, if torch gives it back."""
    import ctypes

    library, profiler = ctypes.CDLL(None), torch.autograd.profiler
    if not hasattr(library, "prof_gpu_stop"):
        return
    cuda, wanted, stopped = torch.profiler.ProfilerActivity.CUDA, (1, 2), []  # it waits for CUDA, or is on

    def is_ours():
        info = (ctypes.c_uint32 * 68)(272)  # a prof_gpu_info of version 0.1: its size, the state, a text
        return library.prof_gpu_status(info, None) == 0 and info[1] in wanted

    def making_room(begin):
        def begin_with_room(config, activities, *more, **named):
            if not stopped and cuda in activities and is_ours():
                library.prof_gpu_stop(None)
                stopped.append(True)
            return begin(config, activities, *more, **named)

        return begin_with_room

    def taking_back(end):
        def end_and_take_back(*arguments, **named):
            try:
                return end(*arguments, **named)
            finally:
                while stopped:
                    stopped.pop()
                    library.prof_gpu_start(None)

        return end_and_take_back

    profiler._prepare_profiler = making_room(profiler._prepare_profiler)
    profiler._enable_profiler = making_room(profiler._enable_profiler)
    profiler._disable_profiler = taking_back(profiler._disable_profiler)


def _quietly(do, torch, failed):
    try:
        do(torch)
    except Exception as why:
        if os.environ.get("PROFCORE_QUIET") != "1":
            print(f"profcore: {failed}: {why!r}", file=sys.stderr)


def _when_imported(torch):
    import ctypes

    _quietly(_make_room, torch, "the profiler of this torch does not get CUPTI while GPU work is traced")
    try:
        load = ctypes.CDLL(None).profcore_torch_load_now
    except (AttributeError, OSError):
        return  # started by a program that did not pass LD_PRELOAD on
    load()
    if any(word not in ("", "memory") for word in _wish.split(",")):
        _quietly(_record, torch, "the modules of this torch are not recorded")


class _Watch:
    """Finds torch as it would have been found, once, and calls behind its import."""

    def find_spec(self, name, path=None, target=None):
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target) if hasattr(finder, "find_spec") else None
            if spec is not None:
                self.watch(spec.loader)
                return spec
        return None

    @staticmethod
    def watch(loader):
        execute = getattr(loader, "exec_module", None)

        def execute_and_call(module):
            execute(module)
            _when_imported(module)

        try:
            loader.exec_module = execute_and_call
        except AttributeError:
            pass  # a loader of somebody's that takes no other: no modules


def _make_way():
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder or ".") != here]
    del sys.modules["sitecustomize"]


_wish = os.environ.get("PROFCORE_TORCH", "")
if _wish not in ("", "0"):
    sys.meta_path.insert(0, _Watch())
_make_way()
import sitecustomize  # noqa: E402  whether there is one, and what it raises, is as if this file were not
