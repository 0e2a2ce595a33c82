# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Making it fast
#
# Training takes time, and waiting is the dullest part of learning. In this lesson you take one plain training loop and make it
# faster, step by step. You measure every step on your own computer: what helps somewhere else may not help here.
#
# You should know the loop from the lesson "Your first classifier in PyTorch": `zero_grad`, `backward`, `step`.
#
# - Run the cells from top to bottom. To start afresh, choose "Restart Kernel and Run All Cells…" in the menu "Kernel".
# - Close what keeps your computer busy, such as a video call. A measurement next to a busy program measures that program too.
# - All numbers and all sentences about them come from your measurements. Run a cell again, and they will differ a little.

# %%
import subprocess
import sys
import time
from statistics import median

import firstlight as fl
import numpy as np
import torch
from firstlight.lessons import begin, check, quiz, say
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader

DATASET = "fashion_mnist_small"
BATCH = 128
STEPS = 30
SECONDS = 2.0

begin("making_it_fast", data=DATASET)

# %% [markdown]
# Each measurement runs `STEPS` steps, but no longer than `SECONDS`. Larger values give steadier numbers and take longer.
# Everything runs on the CPU, which every computer has. On a GPU the same ideas hold, with other numbers.

# %% [markdown]
# ## 1. The loop as tutorials write it
#
# In many tutorials the data come from a class that prepares **one picture at a time**. A `DataLoader` asks for picture after
# picture and puts them together into batches. We write it that way: from pixels to a picture, then to a tensor, then scaled.
# `to_tensor` and `normalize` compute what the transforms `ToTensor` and `Normalize` of torchvision compute.

# %%
train, test = fl.load(DATASET)
train = train.subset(range(min(10_000, len(train))))
channels, height, width = train.inputs.shape[1:]
classes = len(train.classes)
mean, std = train.preprocess.mean.flatten().tolist(), train.preprocess.std.flatten().tolist()


def to_tensor(picture):
    x = torch.from_numpy(np.array(picture)).view(height, width, channels)
    return x.permute(2, 0, 1).contiguous().float().div(255)


def normalize(x):
    return x.clone().sub_(torch.tensor(mean).view(-1, 1, 1)).div_(torch.tensor(std).view(-1, 1, 1))


class OneByOne(torch.utils.data.Dataset):
    def __init__(self, dataset):
        self.pixels = dataset.inputs.permute(0, 2, 3, 1).numpy()
        self.labels = dataset.labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        picture = Image.fromarray(self.pixels[index].squeeze())
        return normalize(to_tensor(picture)), self.labels[index]


loader = DataLoader(OneByOne(train), batch_size=BATCH, shuffle=True)
check.equal(OneByOne(train)[0][0], train[0][0], within=1e-5)

# %% [markdown]
# The net is the LeNet of the first lesson.


# %%
def side(n):
    return ((n - 4) // 2 - 4) // 2


def make_lenet():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 6, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * side(height) * side(width), 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, classes),
    )


# %% [markdown]
# Now the stopwatch. It goes around the batches, so that the loop stays as it is: `yield` hands out a batch, and when the loop
# comes back for the next one, a step has passed. The time of a step therefore includes fetching its batch.
#
# From the times we take the **median**, the one in the middle. A mean would be spoiled by one step during which the computer did
# something else. The first two steps do not count: they prepare things that the later ones reuse.


# %%
def stopwatch(batches, times, steps=STEPS, seconds=SECONDS):
    begun = now = time.perf_counter()
    for batch in batches:
        yield batch
        times.append(time.perf_counter() - now)
        now += times[-1]
        if len(times) >= steps or now - begun > seconds:
            break


def rate(times):
    return BATCH / median(times[2:] or times)


measured = {"lenet": {}, "cnn": {}}

# %% [markdown]
# And the loop itself, which you know:

# %%
model = make_lenet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

times = []
for x, y in stopwatch(loader, times):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()

measured["lenet"]["loader"] = times
say("step_times", times=times)

# %% [markdown]
# How much of that is waiting for data? We let the same loop do nothing but fetch its batches.

# %%
times = []
for x, y in stopwatch(loader, times):
    pass

say("waiting", whole=measured["lenet"]["loader"], data=times)

# %% [markdown]
# Tutorials often add `num_workers=2`. Then two more processes prepare batches while the model works. That hides the waiting as
# long as cores are free, but it saves none of the work. There is something better.
#
# **Your turn.** How often is `OneByOne.__getitem__` called in one epoch?

# %%
answer = None
check("calls", answer, train)

# %% [markdown]
# ## 2. Whole batches
#
# All pictures are in one tensor, `train.inputs`. PyTorch can take 128 of them at once and scale them at once:


# %%
def whole_batches(dataset, order):
    for chosen in order.split(BATCH):
        yield normalize(dataset.inputs[chosen].float() / 255), dataset.labels[chosen]


x, y = next(whole_batches(train, torch.arange(len(train))))
x_of_firstlight, y_of_firstlight = next(iter(train.batches(BATCH)))

check.equal(x, x_of_firstlight, within=1e-5)
check.equal(y, y_of_firstlight)

# %% [markdown]
# So this is what `train.batches` does. In the loop a single line changes, the one with `for`.

# %%
model = make_lenet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

times = []
for x, y in stopwatch(train.batches(BATCH, shuffle=True), times):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()

measured["lenet"]["batches"] = times
say("rates", size=BATCH, measured=measured, new="batches", old="loader")

# %% [markdown]
# The bars show how many samples pass through training in a second. The picture will grow with each part.

# %%
quiz("slices")

# %% [markdown]
# From here on the four lines of a step stand in a function, so that we see what changes around them.


# %%
def train_step(model, optimizer, x, y):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


# %% [markdown]
# ## 3. The size of a batch
#
# A larger batch makes better use of the computer: the fixed cost of a step is shared by more samples. But an epoch then has
# fewer steps, and only steps change the weights. We train one epoch with each size, from the same start, and look at both: samples per
# second, and the loss that is reached.

# %%
sizes = {}
for size in (32, 128, 512, 2048):
    model = make_lenet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    batches = train.batches(size, shuffle=True)
    begun = time.perf_counter()
    for x, y in batches:
        train_step(model, optimizer, x, y)
    epoch_s = time.perf_counter() - begun
    loss = fl.evaluate(model, test).loss
    sizes[size] = {"steps": len(batches), "rate": len(train) / epoch_s, "loss": loss}

say("sizes", sizes=sizes)

# %% [markdown]
# The learning rate was the same for all. A large batch gives a more exact direction and allows larger steps: with a higher
# learning rate it makes up for part of the loss. Try it: write `lr=0.05 * size / 128`. Beyond some size this no longer helps.

# %%
quiz("batch_size")

# %% [markdown]
# ## 4. Threads and busy neighbours
#
# A CPU has several **cores**. PyTorch divides each operation among as many **threads** as there are cores. How much does this
# small net gain from it?

# %%
default_threads = torch.get_num_threads()
counts = sorted({1, 2, (default_threads + 1) // 2, default_threads})


def lenet_times(threads):
    torch.set_num_threads(threads)
    model = make_lenet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    times = []
    for x, y in stopwatch(train.batches(BATCH, shuffle=True), times):
        train_step(model, optimizer, x, y)
    return times


alone = {threads: lenet_times(threads) for threads in counts}
torch.set_num_threads(default_threads)

say("threads", size=BATCH, alone=alone)

# %% [markdown]
# Your computer rarely works for you alone: a browser is open, or a class shares one machine. We bring in a **busy
# neighbour**: a second process that only computes. It is Python's own stopwatch, `timeit`, adding numbers. `finally` ends it
# in any case, also when you stop the cell, and after a while it would end by itself.

# %%
NEIGHBOURS = 1
command = [sys.executable, "-m", "timeit", "-n", "50000", "-r", "1", "sum(range(100000))"]

neighbours = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(NEIGHBOURS)]
try:
    time.sleep(1)
    beside = {threads: lenet_times(threads) for threads in counts}
finally:
    for neighbour in neighbours:
        neighbour.kill()
        neighbour.wait()
    torch.set_num_threads(default_threads)

say("threads", size=BATCH, alone=alone, beside=beside)

# %%
check.that(all(neighbour.poll() is not None for neighbour in neighbours))

# %% [markdown]
# Why can one neighbour cost so much? After each operation the threads wait for one another. If one of them has lost its core
# to the neighbour, all others stand still until it is back, many times in each step. With fewer threads than cores nobody has to
# wait. If your computer has many cores, one neighbour may not matter; try `NEIGHBOURS = 4`.
#
# In the lab, firstlight looks after this for you: while your loop runs, it sees how busy the other programs are and takes
# threads away or adds some. If you call `torch.set_num_threads` yourself, as we did, your number stays. We go on with the one
# that was best without the neighbour.

# %%
threads = max(alone, key=lambda count: rate(alone[count]))
torch.set_num_threads(threads)

measured["lenet"]["threads"] = alone[threads]
say("rates", size=BATCH, measured=measured, new="threads", old="batches")

# %%
quiz("threads")

# %% [markdown]
# ## 5. Channels last
#
# So far the net was so small that everything around it counted. Now a larger one, in which nearly all time goes into
# convolutions.


# %%
def block(inputs, outputs):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


def make_cnn():
    torch.manual_seed(0)
    return nn.Sequential(
        block(channels, 32),
        block(32, 64),
        block(64, 128),
        nn.Flatten(),
        nn.Linear(128 * (height // 8) * (width // 8), classes),
    )


# %% [markdown]
# A batch has four directions: samples, channels, height, width. Memory has only one, so the numbers stand in a row. Usually
# a whole channel comes first, then the next channel. With **channels last**, all channels of one pixel are neighbours. The
# **stride** says how far apart two neighbours in each direction are.

# %%
x = torch.rand(8, 3, 32, 32)
x_last = x.to(memory_format=torch.channels_last)
x.stride(), x_last.stride()

# %%
check.equal(x, x_last)

# %% [markdown]
# The shape is the same, the values are the same; only their order in memory differs.
#
# **Your turn.** A batch of the shape (128, 32, 28, 28) lies in memory as usual. How far is it from a pixel in channel 0 to the
# same pixel in channel 1?

# %%
answer = None
check("stride", answer)

# %% [markdown]
# A convolution multiplies all channels of a pixel at once. Where they are neighbours, the processor reads them in one go, and
# PyTorch need not rearrange them. Whether your processor gains, we measure:

# %%
layouts = {"plain": torch.contiguous_format, "channels_last": torch.channels_last}

for name, layout in layouts.items():
    model = make_cnn().to(memory_format=layout)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    times = []
    for x, y in stopwatch(train.batches(BATCH, shuffle=True), times):
        train_step(model, optimizer, x.to(memory_format=layout), y)
    measured["cnn"][name] = times

say("rates", size=BATCH, measured=measured, new="channels_last", old="plain")

# %% [markdown]
# In the following parts we use the layout that was faster here.

# %%
best = max(layouts, key=lambda name: rate(measured["cnn"][name]))
layout = layouts[best]
best

# %% [markdown]
# ## 6. Half the bits
#
# A number of type `float32` has 32 bits: 1 for the sign, 8 for the size, 23 for the digits, the **mantissa**. `bfloat16` keeps
# sign and size and cuts the mantissa down to 7 bits. It reaches as far but is less exact:

# %%
numbers = torch.tensor([1.0, 1.001, 1.01, 3.14159265, 1000.5])
say("bits", numbers=numbers)

# %% [markdown]
# **Your turn.** With 7 bits for the digits, whole numbers are exact only up to 256. What does `bfloat16` give for 256 + 1?

# %%
answer = None
check("bfloat16", answer)

# %%
torch.tensor(256.0, dtype=torch.bfloat16) + 1

# %% [markdown]
# So weights must not be `bfloat16`: a small step would be lost in rounding. `torch.autocast` does it more cleverly. Weights stay
# `float32`; only where much is multiplied, in convolutions and linear layers, does it compute with `bfloat16`. Some
# processors have instructions for it and become faster. Others have none and become slower.
#
# We train twice from the same start with the same batches, and keep the losses as well as the times.

# %%
losses = {}
for name, enabled in {best: False, "bfloat16": True}.items():
    model = make_cnn().to(memory_format=layout)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    losses[name] = []
    times = []
    for x, y in stopwatch(train.batches(BATCH, shuffle=True, seed=0), times):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            loss = nn.functional.cross_entropy(model(x.to(memory_format=layout)), y)
        loss.backward()
        optimizer.step()
        losses[name].append(loss.item())
    measured["cnn"][name] = times

say("rates", size=BATCH, measured=measured, new="bfloat16", old=best)

# %%
say("losses", float32=losses[best], bfloat16=losses["bfloat16"])

# %%
quiz("autocast")

# %% [markdown]
# ## 7. Where the time goes
#
# Before you make something faster, find out what is slow. `torch.profiler` writes down how long each operation takes.

# %%
model = make_cnn().to(memory_format=layout)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
    for x, y in stopwatch(train.batches(BATCH, shuffle=True), [], steps=5):
        train_step(model, optimizer, x.to(memory_format=layout), y)

say("profile", profile=profile)

# %% [markdown]
# Work on the first rows; whatever you do about the last ones, nobody will notice.
#
# **Your turn.** A step takes 100 ms, of which 20 ms go into fetching the batch. You make the fetching ten times as fast. How many
# milliseconds does the step take now?

# %%
answer = None
check("amdahl", answer)

# %% [markdown]
# ## 8. A better recipe
#
# Until now we counted samples per second. But what you wait for is a good model. So we count the time until a certain accuracy
# on the test split is reached. Same net, same data, three **recipes**:
#
# - `tutorial`: SGD with a learning rate of 0.001, as a well-known tutorial has it
# - `larger`: SGD with a learning rate of 0.05
# - `schedule`: AdamW with a learning rate that rises first and then falls to almost 0


# %%
TARGET = 0.85
EPOCHS = 3
fast = rate(measured["cnn"]["bfloat16"]) > 1.1 * rate(measured["cnn"][best])


def tutorial(weights, steps):
    return torch.optim.SGD(weights, lr=0.001, momentum=0.9), None


def larger(weights, steps):
    return torch.optim.SGD(weights, lr=0.05, momentum=0.9), None


def schedule(weights, steps):
    optimizer = torch.optim.AdamW(weights, weight_decay=0.01)
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=steps)


def race(make):
    model = make_cnn().to(memory_format=layout)
    batches = train.batches(BATCH, shuffle=True, seed=0)
    optimizer, scheduler = make(model.parameters(), EPOCHS * len(batches))
    seconds, marks = 0.0, []
    for epoch in range(EPOCHS):
        model.train()
        begun = time.perf_counter()
        for x, y in batches:
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast):
                loss = nn.functional.cross_entropy(model(x.to(memory_format=layout)), y)
            loss.backward()
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
        seconds += time.perf_counter() - begun
        marks.append((seconds, fl.evaluate(model, test).accuracy))
    return marks


# %%
races = {make.__name__: race(make) for make in (tutorial, larger, schedule)}
say("race", races=races, target=TARGET)

# %% [markdown]
# The steps take about the same time in all three. What differs is how much the net learns in each of them.

# %%
quiz("recipe")

# %% [markdown]
# ## 9. All of it with `fl.fit`
#
# `fl.fit` runs the same loop. Before it starts, it tries out on a copy of your model what you have just measured by hand: the
# layout, the precision, the threads. It takes what wins clearly here, says so in a line, and remembers it for the next time. If the
# line names nothing, nothing was clearly better than the plain way.

# %%
model = make_cnn()
run = fl.fit(model, train, test, epochs=EPOCHS, batch_size=BATCH, lr=0.01, device="cpu", name="making_it_fast")

# %% [markdown]
# Everything that it chooses you can also prescribe: `precision="float32"`, `memory_format="contiguous"`, `threads=1`. With
# `compile=True` it has the net translated into machine code first; that takes a while and pays off in long training only.
#
# Recipes that others found in long searches are in `fl.recipes`. Each consists of a readable model and of options for `fl.fit`:

# %%
recipe = fl.recipes.cifar10(train, size="small")
{name: getattr(value, "__name__", value) for name, value in recipe.options.items()}

# %% [markdown]
# It was made for the colour photos of CIFAR-10 and works on any pictures, also your own. The small size is for a first result;
# `size="medium"` takes minutes and gets further.

# %%
run = fl.fit(recipe.model, train, test, device="cpu", name="recipe", **recipe.options)

# %% [markdown]
# ## 10. Where next
#
# Here is once more what you have measured.

# %%
say("rates", size=BATCH, measured=measured)

# %% [markdown]
# What to remember:
#
# - Measure before and after. What did not help on your computer, leave out: each trick makes the code longer.
# - First the data, then the step, and before both the recipe.
# - A number is worth little without its neighbours: take the median of many steps on a quiet computer.
#
# What to try:
#
# - Add a row of your own: `measured["cnn"]["mine"] = times`, then `say("rates", size=BATCH, measured=measured)`.
# - Set `DATASET = "cifar10"` in the first cell, restart, and run everything: colour photos are larger.
# - With a GPU, let `fl.fit` train without `device="cpu"` and compare.
