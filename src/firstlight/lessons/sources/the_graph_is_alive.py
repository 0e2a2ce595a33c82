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
# # The graph is alive
#
# While your code computes, PyTorch writes down what it does: the **graph**. From it come the gradients. PyTorch writes a new one in
# every step, so every step may compute something else. In this lesson you see what that is good for, and what it costs.
#
# You should know the loop from the lesson "Your first classifier in PyTorch": `zero_grad`, `backward`, `step`.
#
# - Run the cells from top to bottom. To start afresh, choose "Restart Kernel and Run All Cells…" in the menu "Kernel".
# - All times are measured on your computer. Run a cell again, and they will differ a little.

# %%
import time

import firstlight as fl
import numpy as np
import torch
from firstlight.lessons import begin, check, quiz, say
from torch import nn

STEPS = 12
REPEATS = 30
SECONDS = 2.0

begin("the_graph_is_alive")

# %% [markdown]
# Each measurement repeats a step `REPEATS` times, but takes no longer than `SECONDS`.

# %% [markdown]
# ## 1. Gradients by hand
#
# Before PyTorch works for us, we do its work once ourselves, with NumPy alone. Our net has two layers: multiply, add, bend with
# `tanh`, multiply, add. From four numbers it guesses one. The **loss** is the mean of the squared errors.

# %%
rng = np.random.default_rng(0)
x = rng.normal(size=(64, 4))
y = np.sin(x.sum(axis=1, keepdims=True))

w1, b1 = rng.normal(size=(4, 16)) / 2, np.zeros(16)
w2, b2 = rng.normal(size=(16, 1)) / 4, np.zeros(1)

hidden = np.tanh(x @ w1 + b1)
guess = hidden @ w2 + b2
loss_by_hand = ((guess - y) ** 2).mean()
loss_by_hand

# %% [markdown]
# That was the way forward. A **gradient** says how the loss changes when a weight changes. We find it on the way back, from the loss
# to the first layer. Each line below belongs to one step of the way forward and multiplies by the slope of that step:
#
# - The square $(g - y)^2$ has the slope $2 (g - y)$. The mean divides it by the number of samples.
# - A product `a @ b` passes the gradient on to both: to `b` by `a.T @ ...`, to `a` by `... @ b.T`.
# - A sum passes it on unchanged. The bias was added to every sample, so the gradients of all samples are added up.
# - $\tanh$ has the slope $1 - \tanh^2$, and $\tanh$ is what we called `hidden`.

# %%
d_guess = 2 * (guess - y) / len(x)
d_w2 = hidden.T @ d_guess
d_b2 = d_guess.sum(axis=0)
d_hidden = d_guess @ w2.T
d_inner = d_hidden * (1 - hidden**2)
d_w1 = x.T @ d_inner
d_b1 = d_inner.sum(axis=0)

# %% [markdown]
# **Your turn.** Somewhere `hidden` is 0. By how much does `tanh` multiply the gradient there?

# %%
answer = None
check("tanh", answer)

# %% [markdown]
# Now the same with PyTorch. We write the way forward only, and say which tensors want a gradient.

# %%
tensors = {
    name: torch.tensor(value, requires_grad=True) for name, value in {"w1": w1, "b1": b1, "w2": w2, "b2": b2}.items()
}
torch_hidden = torch.tanh(torch.tensor(x) @ tensors["w1"] + tensors["b1"])
torch_guess = torch_hidden @ tensors["w2"] + tensors["b2"]
torch_loss = ((torch_guess - torch.tensor(y)) ** 2).mean()
torch_loss.backward()

check.equal(torch_loss, loss_by_hand, within=1e-12)

# %% [markdown]
# `backward` has put a gradient into each of the four tensors. Are they ours?

# %%
check.equal(tensors["w2"].grad, d_w2, within=1e-12)
check.equal(tensors["b2"].grad, d_b2, within=1e-12)
check.equal(tensors["w1"].grad, d_w1, within=1e-12)
check.equal(tensors["b1"].grad, d_b1, within=1e-12)

# %% [markdown]
# Nobody told PyTorch the way back. It noted each operation while it ran: every result knows which operation made it, and that one
# knows the operations before it.

# %%
node, names = torch_loss.grad_fn, []
while node is not None:
    names.append(node.name())
    node = node.next_functions[0][0] if node.next_functions else None
names

# %% [markdown]
# Read it from left to right: the mean, the square, the differences, the sum, the product, `tanh`, ... This is our own way back, line
# by line. `fl.trace` runs a model once and shows the whole graph, with the shapes and with what is held for the way back. The model
# stays as it was.

# %%
net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
fl.trace(net, torch.rand(64, 4), loss=lambda result: result.square().mean())

# %%
quiz("kept")

# %% [markdown]
# ## 2. A graph for every sample
#
# In most lessons all samples have the same shape. Here each has a shape of its own: expressions such as `(2 + 3) * 4`. They come as
# **trees**. A sign joins a left part and a right part, and each part is a digit or a tree again. The class is `value % 10`, for a
# positive result its last digit.

# %%
train, test = fl.load("arithmetic")
small = next(tree for tree in train.inputs if tree.depth == 2)
large = next(tree for tree in train.inputs if tree.depth == 4)

[(str(tree), tree.value, tree.depth) for tree in (small, large)]

# %% [markdown]
# The net follows the tree. `meaning` of a digit is a row of a table. `meaning` of a tree is made from the meanings of its two parts and
# of its sign. For that, `meaning` calls itself.

# %%
SIGNS = "+-*"


class TreeNet(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.digit = nn.Embedding(10, width)
        self.sign = nn.Embedding(len(SIGNS), width)
        self.combine = nn.Sequential(nn.Linear(3 * width, width), nn.Tanh())
        self.scores = nn.Linear(width, 10)

    def meaning(self, part):
        if isinstance(part, int):
            return self.digit(torch.tensor(part))
        sign = self.sign(torch.tensor(SIGNS.index(part.operation)))
        return self.combine(torch.cat([self.meaning(part.left), self.meaning(part.right), sign]))

    def forward(self, trees):
        return torch.stack([self.scores(self.meaning(tree)) for tree in trees])


torch.manual_seed(0)
tree_net = TreeNet()
tree_net([small, large]).shape

# %% [markdown]
# There is an `if` in it, and a function that calls itself. No plan was made beforehand: PyTorch simply notes what happens. So the two
# trees have two different graphs.

# %%
of_small = fl.trace(tree_net, [small])
of_large = fl.trace(tree_net, [large])
of_small

# %% [markdown]
# What does the second have that the first has not?

# %%
of_small.diff(of_large)

# %%
check.that(len(of_large) > len(of_small))

# %% [markdown]
# **Your turn.** How often is `combine` called for `large`? Its expression is above.

# %%
answer = None
check("combines", answer, large)

# %%
quiz("when")

# %% [markdown]
# ## 3. Watching it in training
#
# A plain loop, with one tree in each step. `fl.watch` looks at it closely in the first steps, and then more and more rarely, so that it
# costs hardly any time. With `looks=[3, 9]` we ask for two steps in any case. Open the tab with the graph and move the slider.

# %%
torch.manual_seed(0)
tree_net = TreeNet()
optimizer = torch.optim.SGD(tree_net.parameters(), lr=0.05)

run = fl.watch(tree_net, optimizer, steps=STEPS, looks=[3, 9], name="trees")
for tree, label in zip(train.inputs[:STEPS], train.labels[:STEPS]):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(tree_net([tree]), label[None])
    loss.backward()
    optimizer.step()

# %% [markdown]
# These are the steps that were looked at:

# %%
say("looks", run=run)

# %% [markdown]
# Every graph that was seen is kept in the record. `run.graph(3)` is the one of step 3, and `diff` compares it with another. `+` is
# new, `-` is gone, `~` has other shapes.

# %%
change = run.graph(3).diff(run.graph(9))
change

# %%
check.that(bool(change))

# %% [markdown]
# The weights stayed the same tensors all the time. What changed is the way through them.

# %% [markdown]
# ## 4. Trees by depth
#
# Freedom has a price. `TreeNet` handles one node after the other, and each is a very small piece of work. The computer spends most of
# its time on getting started. It would rather do many nodes at once.
#
# Which nodes can be done together? A node needs its two parts first. So we begin with the nodes whose parts are digits: they have
# depth 1. Then come those of depth 2, and so on. **All nodes of the same depth, of all trees in the batch, become one operation.**
#
# `by_depth` makes the plan. It gives each node a row in a table: the digits have the rows 0 to 9, then come the nodes of depth 1, then
# those of depth 2. For each depth it lists the rows of the left parts, the rows of the right parts, and the signs.


# %%
def by_depth(trees):
    levels = []

    def place(part):
        if isinstance(part, int):
            return 0, part
        left, right = place(part.left), place(part.right)
        depth = max(left[0], right[0]) + 1
        if depth > len(levels):
            levels.append([])
        levels[depth - 1].append((left, right, SIGNS.index(part.operation)))
        return depth, len(levels[depth - 1]) - 1

    roots = [place(tree) for tree in trees]

    first = [0, 10]
    for nodes in levels:
        first.append(first[-1] + len(nodes))

    def row(spot):
        depth, number = spot
        return first[depth] + number

    plan = [torch.tensor([(row(left), row(right), sign) for left, right, sign in nodes]).T for nodes in levels]
    return plan, torch.tensor([row(root) for root in roots])


class DepthNet(TreeNet):
    def forward(self, trees):
        plan, roots = by_depth(trees)
        table = self.digit.weight
        for left, right, sign in plan:
            parts = torch.cat([table[left], table[right], self.sign(sign)], dim=1)
            table = torch.cat([table, self.combine(parts)])
        return self.scores(table[roots])


# %% [markdown]
# The weights are those of `TreeNet`, so both must compute the same: the same scores, and the same gradients.

# %%
torch.manual_seed(0)
slow, quick = TreeNet(), DepthNet()
quick.load_state_dict(slow.state_dict())
trees, labels = train.inputs[:64], train.labels[:64]

for model in (slow, quick):
    nn.functional.cross_entropy(model(trees), labels).backward()

check.equal(quick(trees), slow(trees), within=1e-5)
check.equal(quick.combine[0].weight.grad, slow.combine[0].weight.grad, within=1e-5)

# %% [markdown]
# And how much faster is it? The stopwatch runs a step several times and keeps the time of each. The first two do not count.


# %%
def stopwatch(step):
    times = []
    begun = time.perf_counter()
    while len(times) < REPEATS and time.perf_counter() - begun < SECONDS:
        now = time.perf_counter()
        step()
        times.append(time.perf_counter() - now)
    return times


def step_of(model, batch, labels):
    def step():
        model.zero_grad()
        nn.functional.cross_entropy(model(batch), labels).backward()

    return step


of_trees = {"one_by_one": stopwatch(step_of(slow, trees, labels))}
of_trees["by_depth"] = stopwatch(step_of(quick, trees, labels))
say("rates", size=len(trees), measured={"trees": of_trees}, new="by_depth", old="one_by_one")

# %% [markdown]
# Larger batches gain more: they have more nodes of each depth, and hardly more depths. Try `train.inputs[:256]`.

# %%
quiz("levels")

# %% [markdown]
# Now we can afford to train on all 10,000 trees. The last digit of a result is hard to guess, so do not expect wonders. To compare:
# whoever always names the most frequent class is right that often, too.

# %%
EPOCHS = 6
torch.manual_seed(0)
depth_net = DepthNet()
optimizer = torch.optim.AdamW(depth_net.parameters(), lr=0.003)

run_of_all = fl.watch(depth_net, optimizer, epochs=EPOCHS, name="depth")
for epoch in range(EPOCHS):
    for batch, batch_labels in train.batches(128, shuffle=True):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(depth_net(batch), batch_labels)
        loss.backward()
        optimizer.step()

# %%
frequent = test.labels.bincount().max().item() / len(test)
say("trees", accuracy=fl.evaluate(depth_net, test).accuracy, frequent=frequent)

# %% [markdown]
# ## 5. Samples of different lengths
#
# Trees are rare. Much more often samples differ in one thing only, their **length**: sentences, sounds, measurements. The same
# expressions are an example, if we write them as text, one number for each character.

# %%
CHARACTERS = "0123456789+-*() "
texts = [torch.tensor([CHARACTERS.index(character) for character in str(tree)]) for tree in train.inputs[:256]]
labels_of_texts = train.labels[:256]

str(train.inputs[0]), texts[0], texts[1]

# %% [markdown]
# A tensor is a block without holes, so these do not fit into one. There are two ways out, and `fl.nest` makes both.
#
# **Padded**: all samples are filled up to the length of the longest. A **mask** says which positions are real.

# %%
padded = fl.nest(texts[:4], layout="padded")
padded

# %%
padded.mask.int()

# %% [markdown]
# **Jagged**: the samples lie behind one another, and a list says where each begins. There is no padding. For PyTorch this is a
# tensor too, of the kind `torch.nested`, and many layers compute with it. One side of its shape has no number but a name, such as `j1`:
# it differs from sample to sample.

# %%
jagged = fl.nest(texts[:4], layout="jagged")
jagged

# %%
jagged.values.shape, jagged.lengths

# %% [markdown]
# **Your turn.** Three samples have 2, 3 and 10 positions. You pad them to one batch. How many positions of the batch are padding?

# %%
answer = None
check("padding", answer)

# %% [markdown]
# A net for both: it looks at each character by itself and takes the mean over all of them. With a padded batch it must leave out the
# padding, so it asks for the mask. Of a jagged batch it takes the samples behind one another, `values`, and where each begins,
# `offsets`. (It does not see the order of the characters. Here only the way of computing matters.)


# %%
class TextNet(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.character = nn.Embedding(len(CHARACTERS), width)
        self.inner = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.scores = nn.Linear(width, 10)

    def forward(self, text, mask=None):
        text = self.inner(self.character(text))
        if text.is_nested:
            mean = torch.segment_reduce(text.values(), "mean", offsets=text.offsets())
        elif mask is None:
            mean = text.mean(dim=1)
        else:
            real = mask[:, :, None]
            mean = (text * real).sum(dim=1) / real.sum(dim=1)
        return self.scores(mean)


torch.manual_seed(0)
text_net = TextNet()
fl.nest(texts, text_net)

# %% [markdown]
# If you give `fl.nest` the model, it finds out what the model takes. It tries two tiny samples, forward and back, and compares with
# one by one. Not every layer reads jagged batches. An LSTM does not:

# %%
fl.nest(texts, nn.Sequential(nn.Embedding(len(CHARACTERS), 8), nn.LSTM(8, 8, batch_first=True)))

# %% [markdown]
# All three ways give the same scores:

# %%
alone = torch.cat([text_net(text[None]) for text in texts])
all_padded = fl.nest(texts, layout="padded")
all_jagged = fl.nest(texts, layout="jagged")

check.equal(text_net(all_padded.values, mask=all_padded.mask), alone, within=1e-5)
check.equal(text_net(all_jagged.values), alone, within=1e-5)

# %%
quiz("mask")

# %% [markdown]
# Which one is fastest here? We measure whole steps: making the batch, forward, and back.


# %%
def one_by_one(samples):
    return torch.cat([text_net(text[None]) for text in samples])


def with_padding(samples):
    nested = fl.nest(samples, layout="padded")
    return text_net(nested.values, mask=nested.mask)


def without_padding(samples):
    nested = fl.nest(samples, layout="jagged")
    return text_net(nested.values)


def learning(scores, samples):
    def step():
        text_net.zero_grad()
        nn.functional.cross_entropy(scores(samples), labels_of_texts).backward()

    return step


of_texts = {"one_by_one": stopwatch(learning(one_by_one, texts))}
of_texts["padded"] = stopwatch(learning(with_padding, texts))
of_texts["jagged"] = stopwatch(learning(without_padding, texts))
say("rates", size=len(texts), measured={"texts": of_texts}, new="jagged", old="padded")

# %% [markdown]
# The more the lengths differ, the more of a padded batch is padding, and all of it is computed. We let a single sample be much longer
# than the others and measure again.

# %%
LONGER = 20
one_longer = [texts[0].repeat(LONGER), *texts[1:]]

of_longer = {"padded": stopwatch(learning(with_padding, one_longer))}
of_longer["jagged"] = stopwatch(learning(without_padding, one_longer))
say("rates", size=len(texts), measured={"long_text": of_longer}, new="jagged", old="padded")

# %% [markdown]
# ## 6. Memory, foretold and measured
#
# For the way back, the graph holds on to many results: `hidden` in part 1 was one of them. That takes memory, and too little of it ends
# a training. `fl.memory` says beforehand how much a step will need. It computes nothing for that: its tensors have shapes, but no
# numbers.

# %%
clothes, _ = fl.load("fashion_mnist_small")
images, labels_of_images = next(iter(clothes.batches(256)))


def make_cnn():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 10),
    )


forecast = fl.memory(make_cnn(), (images, labels_of_images), torch.optim.AdamW)
forecast

# %% [markdown]
# In this net the weights are the smallest part. Most of the memory goes into the **activations**: what the layers computed and the way
# back needs again.
#
# **Your turn.** The parameters of another model take 100 MB. How many MB do its parameters, its gradients and the state of AdamW take
# together? For each parameter AdamW keeps two more numbers: a mean of its gradients, and a mean of their squares.

# %%
answer = None
check("adamw", answer)

# %% [markdown]
# Is the forecast right? We train a few steps, and `run.memory()` says what was really held.

# %%
cnn = make_cnn()
optimizer = torch.optim.AdamW(cnn.parameters())

run_of_cnn = fl.watch(cnn, optimizer, steps=STEPS, looks=[STEPS - 1], name="memory")
for step in range(STEPS):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(cnn(images), labels_of_images)
    loss.backward()
    optimizer.step()

# %%
run_of_cnn.memory()

# %%
say("foretold", forecast=forecast.peak, measured=run_of_cnn.memory().peak)

# %% [markdown]
# How does the memory grow with the batch? To ask costs nothing, even for batches that would not fit at all.

# %%
forecasts = {}
for size in (32, 128, 512, 2048):
    pretended = torch.zeros(size, 1, 28, 28), torch.zeros(size, dtype=torch.long)
    forecasts[size] = fl.memory(make_cnn(), pretended, torch.optim.AdamW)

say("batches", forecasts=forecasts)

# %%
quiz("batch_memory")

# %% [markdown]
# ## 7. Where next
#
# What to remember:
#
# - PyTorch writes the graph while your code runs. So `if`, loops and recursion are allowed, and each step may be another.
# - Gradients are no magic. It is your own way forward, read backwards.
# - Many small pieces of work are slow. Look for what can be done at once: nodes of the same depth, or samples in a batch.
# - What the way back needs is held until `backward`. That is where the memory goes.
#
# What to try:
#
# - Train `TreeNet` for one epoch with batches of 64 and compare the time with `DepthNet`.
# - Give each sign a `combine` of its own. Then only nodes with the same depth and the same sign can be done together.
# - Ask `fl.memory` about a model of your own before you train it, and look at `run.memory()` afterwards.
