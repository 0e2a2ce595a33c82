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
# # Your first classifier in PyTorch
#
# A classifier looks at an input and names its class. In this lesson you build one that looks at small pictures and says
# what they show. You train it, test it, improve it, and try it on a picture of your own.
#
# You need a little Python: variables, functions, `for` loops. Of mathematics you need multiplication and, once, a
# logarithm.
#
# - A grey box is a **cell**. Click it and press `Shift`+`Enter`: it runs, and its result appears below it.
# - Run the cells from top to bottom. You may change any of them and run it again; nothing here can break your computer.
# - To start afresh, choose "Restart Kernel and Run All Cells…" in the menu "Kernel".
#
# The next cell loads what we need. Then it measures your computer for a moment and says how long the lesson takes here.

# %%
import copy
import os
import time

import firstlight as fl
import numpy as np
import torch
from firstlight.lessons import begin, check, quiz, say
from PIL import Image
from torch import nn

DATASET = "fashion_mnist_small"

begin("first_pytorch_classifier", data=DATASET)

# %% [markdown]
# `DATASET` names the pictures to learn from. `"fashion_mnist_small"` came with firstlight and needs no internet. With
# `"cifar10"` the lesson works with colour photos; they are downloaded once (170 MB), and training takes longer. Everything
# below adapts by itself.

# %% [markdown]
# ## 1. Tensors and NumPy arrays
#
# PyTorch computes with **tensors**: blocks of numbers with a shape. A NumPy array is the same idea. Here is an array with
# 2 rows and 3 columns.

# %%
a = np.arange(6.0).reshape(2, 3)
a

# %% [markdown]
# And here is a tensor made from it.

# %%
t = torch.from_numpy(a)
t

# %% [markdown]
# Three things describe every tensor: its shape, the type of its numbers, and the device whose memory it is in.

# %%
t.shape, t.dtype, t.device

# %% [markdown]
# Most of what you know from NumPy has the same name or a similar one.
#
# | to do this | NumPy | PyTorch |
# | --- | --- | --- |
# | all zeros | `np.zeros((2, 3))` | `torch.zeros(2, 3)` |
# | random numbers from 0 to 1 | `np.random.rand(2, 3)` | `torch.rand(2, 3)` |
# | matrix product | `a @ a.T` | `t @ t.T` |
# | mean of each row | `a.mean(axis=1)` | `t.mean(dim=1)` |
# | another shape | `a.reshape(3, 2)` | `t.reshape(3, 2)` |
# | from one to the other | `t.numpy()` | `torch.from_numpy(a)` |
#
# The results agree:

# %%
check.equal(t @ t.T, a @ a.T)

# %% [markdown]
# `torch.from_numpy` copies nothing. Array and tensor are two views of **the same memory**. We write into the tensor and look
# at the array:

# %%
t[0, 0] = 100.0
a

# %%
check.that(a[0, 0] == 100.0)

# %% [markdown]
# `torch.tensor` does copy. Afterwards each has its own memory, and a change of one does not reach the other.

# %%
c = torch.tensor(a)
a[0, 0] = -1.0
t[0, 0].item(), c[0, 0].item()

# %% [markdown]
# What can a tensor do that an array cannot? Two things, and this lesson uses both: it can live on a GPU, and it can remember
# how it was computed. From that memory PyTorch works out gradients. You will see it in part 4.

# %% [markdown]
# ## 2. A look at the data
#
# A dataset is a collection of samples. Each sample here is a picture with a **label**, the right answer. The data come in two
# splits: the model learns from `train`; `test` stays aside until the end.

# %%
train, test = fl.load(DATASET)
train

# %%
fl.show(train)

# %% [markdown]
# A picture is stored as whole numbers from 0 (black) to 255 (white). For the net they are scaled, so that their mean is
# about 0 and their standard deviation about 1; training goes better that way. `train.batches` does this for us and hands out the samples in
# **batches**. We take the first batch of 128.

# %%
images, labels = next(iter(train.batches(128)))
images.shape, labels.shape

# %%
images.mean().item(), images.std().item()

# %% [markdown]
# The shape of `images` reads: samples, channels, height, width. A grey picture has 1 channel, a colour picture has 3: red,
# green and blue.
#
# **Your turn.** How many numbers does the batch `images` hold? Replace `None` by your answer and run the cell.

# %%
answer = None
check("elements", answer, images)

# %%
quiz("batch")

# %% [markdown]
# ## 3. From pixels to a prediction
#
# Our first net follows LeNet, which read handwritten digits in the 1990s. It has two kinds of layers with weights:
#
# - A **convolution** slides a small window over the picture. At each place it multiplies the pixels in the window by its
#   weights and adds them up. The same weights serve everywhere, so a pattern is found wherever it is.
# - A **linear** layer connects each of its inputs with each of its outputs, one weight for each pair.
#
# Between them, ReLU sets negative numbers to 0, and pooling keeps the largest of every $2 \times 2$ numbers, which halves
# height and width.
#
# In many tutorials the first linear layer reads `nn.Linear(16 * 5 * 5, 120)`. Where does `16 * 5 * 5` come from? Not from
# taste: it follows from the size of the picture. A window of 5 pixels fits into a row of $n$ pixels at $n - 5 + 1$ places.
# Pooling halves that, rounding down. We do it twice:

# %%
channels, height, width = images.shape[1:]
classes = len(train.classes)


def sides(side):
    found = [side]
    for kernel in (5, 5):
        found.append(found[-1] - kernel + 1)
        found.append(found[-1] // 2)
    return found


features = 16 * sides(height)[-1] * sides(width)[-1]
say("features", heights=sides(height), widths=sides(width), features=features)

# %% [markdown]
# The 16 is our choice: the second convolution has 16 output channels. The other two numbers are what is left of height and
# width. A picture of 32 by 32 pixels gives 32, 28, 14, 10, 5 and therefore `16 * 5 * 5`; a picture of 28 by 28 pixels gives
# 28, 24, 12, 8, 4 and therefore `16 * 4 * 4`.
#
# Now the net. Weights start as random numbers; the fixed seed makes them the same for everybody.

# %%
torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(channels, 6, 5),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(6, 16, 5),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(features, 120),
    nn.ReLU(),
    nn.Linear(120, 84),
    nn.ReLU(),
    nn.Linear(84, classes),
)

# %% [markdown]
# We send the batch through it, layer by layer, and look at each shape on the way.

# %%
say("layers", model=model, inputs=images)

# %%
check.that(model[:7](images).shape[1] == features)

# %% [markdown]
# Out come the **logits**: one number for each class, any size, positive or negative. `softmax` turns them into shares that
# add up to 1. The net has learned nothing yet, so it gives each class about the same share.
#
# A tensor remembers how it was computed. That costs time and memory, and here we only look: inside `torch.no_grad()`
# nothing is remembered.

# %%
with torch.no_grad():
    shares = model(images[:1]).softmax(dim=1)[0]
say("shares", shares=shares, classes=train.classes, label=labels[0])

# %% [markdown]
# **Your turn.** Suppose the last layer received 100 numbers in place of 84. How many trainable numbers would it then
# have, as `nn.Linear(100, classes)`? Count its weights and its biases: each output adds one bias of its own.

# %%
answer = None
check("weights", answer, classes)

# %% [markdown]
# ## 4. Loss, gradient and one step
#
# **The loss.** To improve, we need one number that says how bad the predictions are. The usual one is cross-entropy: take the
# share $p$ that the net gave to the right class, and compute $-\log p$. If $p = 1$, the loss is 0. The smaller $p$, the larger
# the loss. For a batch we take the mean.
#
# We begin with a single picture. We work on a copy of the model and in double precision, so that rounding does not blur the
# comparison below.

# %%
start = copy.deepcopy(model).double()
sample, target = images[:1].double(), labels[:1]
right = target.item()

with torch.no_grad():
    p = start(sample).softmax(dim=1)[0, right]
    loss_by_hand = -p.log()
    loss_of_pytorch = nn.functional.cross_entropy(start(sample), target)

check.equal(loss_by_hand, loss_of_pytorch)

# %% [markdown]
# **The gradient.** Now we choose a single weight: in the last layer, from the largest of the 84 inputs to the right class.
# What happens to the loss if we make this weight a little larger, or a little smaller, and leave all others alone? The
# change of the loss divided by the change of the weight is the slope. This is the **gradient** for this weight.

# %%
with torch.no_grad():
    hidden = start[:-1](sample)[0]
unit = hidden.argmax().item()
w = start[-1].weight[right, unit].item()


def loss_at(value):
    changed = copy.deepcopy(start)
    with torch.no_grad():
        changed[-1].weight[right, unit] = value
        return nn.functional.cross_entropy(changed(sample), target).item()


h = 0.0001
slope = (loss_at(w + h) - loss_at(w - h)) / (2 * h)
say("slope", weight=w, loss=loss_at(w), slope=slope)

# %% [markdown]
# **Your turn.** In which direction must this weight move for the loss to fall? Answer `"up"` or `"down"`.

# %%
answer = None
check("direction", answer, slope)

# %% [markdown]
# **One step.** We move the weight against its gradient. How far? The learning rate `lr` says so:
#
# $$w_\text{new} = w - \text{lr} \cdot \text{gradient}$$

# %%
lr = 0.1
w_new = w - lr * slope
say("step", before=loss_at(w), after=loss_at(w_new))

# %% [markdown]
# The loss fell a little, with one weight out of tens of thousands. Trying out every weight like this would take two passes
# through the net for each of them, for a single step.
#
# **The same by formula.** For the last layer the slope can be written down: the share of the right class minus 1, times the
# input of the weight. The result is negative, so this weight must grow: then the share of the right class grows too.

# %%
slope_by_formula = (p - 1) * hidden[unit]
check.equal(slope, slope_by_formula)

# %% [markdown]
# **The same by autograd.** PyTorch remembers how the loss was computed, and `loss.backward()` goes back over that record. One
# pass gives the gradients of *all* weights. They are in `.grad`. An **optimizer** then makes the step for all of them.

# %%
twin = copy.deepcopy(start)
optimizer = torch.optim.SGD(twin.parameters(), lr=lr)

loss = nn.functional.cross_entropy(twin(sample), target)
loss.backward()
slope_by_autograd = twin[-1].weight.grad[right, unit]
check.equal(slope, slope_by_autograd)

optimizer.step()
check.equal(w_new, twin[-1].weight[right, unit])

# %% [markdown]
# Three ways, one number. What you did by hand is what PyTorch does, only for all weights at once.

# %%
quiz("gradient")

# %% [markdown]
# ## 5. The whole loop
#
# Training repeats this step for one batch after another. One pass over all training samples is an **epoch**.
#
# **Your turn.** With batches of 128, how many steps does one epoch take? `len(train)` says how many samples there are. The
# last batch may be smaller; it counts as well.

# %%
answer = None
check("steps", answer, train)

# %% [markdown]
# Here is the whole loop. This is what happens for each batch:
#
# 1. `zero_grad` clears the gradients of the last step; otherwise the new ones would be added to them.
# 2. The model makes its predictions, and the loss compares them with the labels.
# 3. `backward` computes the gradients.
# 4. `step` moves the weights.
#
# `fl.watch` draws the curves while the loop runs. It does not change the training. The Stop button ends it between two steps.
# The optimizer has `momentum`: each step keeps part of the direction of the steps before it.

# %%
torch.manual_seed(0)
epochs = max(1, round(50_000 / len(train)))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

run = fl.watch(model, optimizer, epochs=epochs, name="lenet")
for epoch in range(epochs):
    for x, y in train.batches(128, shuffle=True):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()

# %% [markdown]
# The loss falls, quickly at first, then slowly. It is not smooth: each step sees other samples. The accuracy is the share of
# samples in the batch that were named correctly.

# %%
quiz("zero_grad")

# %% [markdown]
# ## 6. A second look
#
# How good is the model on pictures that it has never seen? This is what the test split is for.

# %%
first = fl.evaluate(model, test)
first.show()

# %% [markdown]
# Read the result in this order.
#
# - **Accuracy** is the share of right answers. With classes of the same size, guessing would reach 1 divided by
#   their number.
# - In the **confusion matrix** each row is a true class, each column a predicted one. Right answers are on the diagonal.
#   Which two classes does the model mix up most?
# - The **mistakes** are the ones of which the model was most certain. Would you have done better?
#
# Now compare with the samples that it learned from:

# %%
say("two_splits", train=fl.evaluate(model, train).accuracy, test=first.accuracy)

# %%
quiz("test_split")

# %% [markdown]
# ## 7. A better net
#
# The second net is a small convolutional network, or CNN, as they are built today. It differs in three ways:
#
# - It has more channels: 16, 32 and 64 in place of 6 and 16.
# - Its windows are small, 3 by 3, and `padding=1` puts a border of zeros around the picture, so that a convolution keeps the
#   size and only pooling shrinks it.
# - **Batch normalization** scales the numbers after each convolution, to a mean of 0 and a standard deviation of 1, and
#   then learns the best scale and shift. Training becomes faster and steadier.


# %%
def block(inputs, outputs):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


def make_cnn():
    return nn.Sequential(
        block(channels, 16),
        block(16, 32),
        block(32, 64),
        nn.Flatten(),
        nn.Linear(64 * (height // 8) * (width // 8), classes),
    )


torch.manual_seed(0)
cnn = make_cnn()

say("layers", model=cnn, inputs=images)

# %% [markdown]
# The loop has one new line, `schedule.step()`. A **schedule** lets the learning rate rise first and then fall to almost 0: large
# steps find the region, small ones find the place. The optimizer is now AdamW, which adapts the size of the step for each weight. `cnn.train()` switches batch normalization to training; part 8 shows its counterpart.

# %%
torch.manual_seed(0)
epochs = max(1, round(60_000 / len(train)))
steps = epochs * len(train.batches(128))
optimizer = torch.optim.AdamW(cnn.parameters(), weight_decay=0.01)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=steps)

run_cnn = fl.watch(cnn, optimizer, epochs=epochs, name="cnn")
cnn.train()
for epoch in range(epochs):
    for x, y in train.batches(128, shuffle=True):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(cnn(x), y)
        loss.backward()
        optimizer.step()
        schedule.step()

# %%
second = fl.evaluate(cnn, test)
second.show()

# %%
say("better", before=first.accuracy, after=second.accuracy, samples=len(test))

# %% [markdown]
# ## 8. Saving and loading
#
# What the net has learned is in its weights. `state_dict` collects them under their names; `torch.save` writes them into a
# file. To load them, build a net of the same form and put the weights in. With `weights_only=True`, the default, only
# tensors and plain values are read; without it, a file from somebody else could run code on your computer.

# %%
torch.save(cnn.state_dict(), "first_classifier.pt")

loaded = make_cnn()
loaded.load_state_dict(torch.load("first_classifier.pt", weights_only=True))
say("saved", file="first_classifier.pt", size=os.path.getsize("first_classifier.pt"))

# %% [markdown]
# `eval` prepares the net for use: batch normalization then takes the means it has learned, no longer those of the batch. Before you use
# a model, always call it. Saved and loaded model must now agree exactly:

# %%
cnn.eval()
loaded.eval()
with torch.no_grad():
    same = torch.equal(cnn(images), loaded(images))
check.that(same)

# %%
quiz("state_dict")

# %% [markdown]
# ## 9. Your own picture
#
# We first save one picture from the test split as an ordinary file, so that there is something to read.

# %%
pixels = test.inputs[0].permute(1, 2, 0).squeeze().numpy()
Image.fromarray(pixels).resize((8 * width, 8 * height)).save("sample.png")

# %% [markdown]
# Then we read the file and ask the net. For a picture of your own, open the file list with the folder sign on the left,
# drag your picture into it, write its name in place of `"sample.png"` and run the next two cells. If it shows
# something dark on a light ground, write `invert=True`: the pictures in training were bright on black.

# %%
PICTURE = "sample.png"

picture = fl.read_picture(PICTURE, like=test, invert=False)
fl.show(picture)

# %%
loaded.eval()
with torch.no_grad():
    shares = loaded(test.preprocess(picture)).softmax(dim=1)[0]
say("shares", shares=shares, classes=test.classes)

# %% [markdown]
# The net can only choose among the classes that it knows: it has no answer "none of these". It also expects pictures like those
# it learned from. Those of `fashion_mnist_small` show one piece of clothing, bright on black; a photo on a white table looks
# quite different to it. That the samples in use resemble those in training is the silent assumption of every classifier.

# %% [markdown]
# ## 10. CPU or GPU
#
# Nearly all work in a net is multiplication of matrices. A GPU does many at the same time, but starting each piece of work
# costs time. So the answer depends on the size. We measure it here:

# %%
device = fl.choose_device()


def product_s(device, side):
    matrix = torch.rand(side, side, device=device)
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        (matrix @ matrix).sum().item()
        times.append(time.perf_counter() - begun)
    return min(times)


devices = sorted({"cpu", device.type})
products = {side: {name: product_s(name, side) for name in devices} for side in (64, 256, 1024)}
say("products", products=products, device=device)

# %% [markdown]
# `.item()` waits until the result is there; without it a GPU would seem to be done at once.
#
# `model.to(device)` moves the weights, `train.batches(128, device=device)` the samples. Both must be on the same device.
# The predictions stay the same, apart from rounding:

# %%
moved = copy.deepcopy(cnn).to(device).eval()
with torch.no_grad():
    here, there = cnn(images).softmax(dim=1), moved(images.to(device)).softmax(dim=1)
check.equal(here, there, within=0.001)

# %% [markdown]
# ## 11. Where next
#
# You have built a classifier, computed a gradient by hand, trained two nets, found their mistakes, saved one and used it. That
# is the whole way; larger work is the same with more data and larger nets.
#
# - Set `DATASET = "cifar10"` in the first cell, restart, and run everything: colour photos are harder.
# - Load a folder of your own photos, one subfolder for each class: `fl.load("my_photos", size=32)`.
# - Let `fl.fit(cnn, train, test, epochs=5)` run the loop for you: it keeps the best weights and can stop early.
# - `fl.runs()` lists everything you have trained, with its results.
# - The lesson [making_it_fast](making_it_fast.ipynb) takes the loop of part 5 and makes it faster, step by step.
# - The [PyTorch tutorials](https://docs.pytorch.org/tutorials/) lead further.
#
# One last experiment: set `lr=5.0` in part 5, run the cell of part 3 that makes the model, then the loop again. What
# do the curves do, and why?
