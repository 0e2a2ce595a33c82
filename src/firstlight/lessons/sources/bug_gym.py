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
# # The gym: finding what is wrong
#
# Training code can be wrong without any error. It runs, the loss falls a little, and nobody knows that it could be better. Finding the
# cause is a skill, and it can be trained. Here you see three ways to search, and then the exercises begin.

# %%
import firstlight as fl
import torch
from firstlight.lessons import begin, check, gym
from torch import nn

begin("bug_gym")

# %% [markdown]
# ## 1. A patient
#
# This net tells pictures of sandals from pictures of sneakers. It learns, but not as well as it could.

# %%
train, test = fl.load("fashion_mnist_small")


def two_classes(split):
    rows = (split.labels == 5) | (split.labels == 7)
    return split.inputs[rows].flatten(1) / 255, (split.labels[rows] == 7).float()


train_inputs, train_labels = two_classes(train)
test_inputs, test_labels = two_classes(test)
train_inputs.shape, train_labels.mean()

# %% [markdown]
# The net has one score for each picture, and a loss for two classes.


# %%
def build():
    return nn.Sequential(nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid())


def loss_of(net, inputs, labels):
    return nn.functional.binary_cross_entropy_with_logits(net(inputs).squeeze(1), labels)


# %% [markdown]
# The loop is the usual one. It keeps the loss of each step. If the doctor speaks up below the cell, do not read it yet: first search
# yourself.

# %%
torch.manual_seed(0)
net = build()
optimizer = torch.optim.Adam(net.parameters(), lr=0.001)
losses = []
for epoch in range(8):
    for rows in torch.randperm(len(train_inputs)).split(64):
        optimizer.zero_grad()
        loss = loss_of(net, train_inputs[rows], train_labels[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

# %% [markdown]
# ## 2. Look at the curve
#
# A picture of the loss costs one line. Look at where it begins, where it ends, and whether it jumps.

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(6, 2.5))
axes.plot(losses)
axes.set_ylim(0, 1)
plt.show()

# %% [markdown]
# - It begins near $\ln 2 = 0.69$, as a net with two classes should that knows nothing.
# - It falls at once, so something is learned. A flat line would say: nothing moves, or what moves does not matter.
# - It stops near 0.5 and stays there. That is strange for pictures that are so easy to tell apart.
#
# What a curve can say:
#
# | the curve | ask first |
# |---|---|
# | flat from the beginning | Do the weights move? Do the labels belong to the inputs? |
# | falls, then stops far from zero | What is the smallest loss that this net can reach? |
# | jumps with each epoch | In which order do the rows come? |
# | grows wilder and wilder | How large is a step, and why does it grow? |
# | fine, but the test is bad | What is different between training and test? |
# | fine, and the test is too good | Who has seen the test rows? |

# %% [markdown]
# ## 3. Overfit a batch
#
# Take a few samples, and let the net learn them by heart. A sound net brings their loss down to almost zero. If it cannot, then the
# cause is in the net, in the loss or in the step, and not in the data.

# %%
few_inputs, few_labels = train_inputs[:16], train_labels[:16]
torch.manual_seed(0)
small_test = build()
optimizer = torch.optim.Adam(small_test.parameters(), lr=0.01)
for step in range(300):
    optimizer.zero_grad()
    loss = loss_of(small_test, few_inputs, few_labels)
    loss.backward()
    optimizer.step()
loss.item()

# %% [markdown]
# After 300 steps on 16 pictures the loss should be near 0.00. It is not. So we look at what stands between the net and the loss. What
# range do the numbers have that the net gives?

# %%
small_test(few_inputs).min().item(), small_test(few_inputs).max().item()

# %% [markdown]
# They lie between 0 and 1: they are probabilities already. But `binary_cross_entropy_with_logits` expects scores of any size and makes
# probabilities of them once more. Even the best answer, 1, then counts as no more than 73 %.

# %% [markdown]
# ## 4. Read the doctor's report
#
# The doctor has watched. An **alarm** comes with a proof: a line of your code, and what happened there. A **question** may be meant
# like that. Read the line first, then the reason.

# %%
fl.examine()

# %% [markdown]
# **Your turn.** Mend `build`: the last layer should give plain scores. Then the 16 pictures are learned by heart.


# %%
def build():
    return nn.Sequential(nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid())


torch.manual_seed(0)
mended = build()
optimizer = torch.optim.Adam(mended.parameters(), lr=0.01)
for step in range(300):
    optimizer.zero_grad()
    loss = loss_of(mended, few_inputs, few_labels)
    loss.backward()
    optimizer.step()
check.that(loss.item() < 0.1)

# %% [markdown]
# ## 5. The exercises
#
# Now it is your turn to hunt. Each exercise is a notebook of its own, with code that runs but does not do what it should. In those
# notebooks the doctor is silent, until you ask for the third hint. Your code is judged by what it does: any way to mend it is right.

# %%
gym.show()

# %% [markdown]
# The next cell puts an exercise beside this notebook. Open it in the list of files on the left. Take another name from the table for
# another exercise.

# %%
gym.hand_out("harbour").name

# %% [markdown]
# A way to go about it:
#
# 1. Read the story, run all cells, and write down what you expected and what you see.
# 2. Make a guess that a small experiment can refute. Print shapes, types, ranges, and what changes from step to step.
# 3. Change one thing at a time. When the number changes, you have learned something, even if it is not mended.
# 4. Mend it, let it be judged, and only then look at the four causes.
