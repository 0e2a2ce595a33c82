import numpy as np
import torch
import torch.nn.functional as F

rng = np.random.default_rng(3)
torch.manual_seed(3)
centres = rng.normal(size=(6, 20)) * 1.6
names = np.array(["ash", "beech", "cedar", "elm", "fir", "oak"])
kind = rng.integers(0, 6, 1800)
x = (centres[kind] + rng.normal(size=(1800, 20))).astype("float32")
wood = names[kind]
train, test = slice(0, 1400), slice(1400, 1800)
W1 = (torch.randn(20, 64) * 0.2).requires_grad_()
b1 = torch.zeros(64, requires_grad=True)
W2 = (torch.randn(64, 6) * 0.1).requires_grad_()
b2 = torch.zeros(6, requires_grad=True)
opt = torch.optim.Adam([W1, b1, W2, b2], lr=3e-3)
number = {name: i for i, name in enumerate(names)}
y_train = torch.tensor([number[n] for n in wood[train]])
number_test = {name: i for i, name in enumerate(dict.fromkeys(wood[test]))}
y_test = torch.tensor([number[n] for n in wood[test]])
X = torch.from_numpy(x)


def net(v):
    return torch.relu(v @ W1 + b1) @ W2 + b2


for epoch in range(8):
    for rows in torch.randperm(1400).split(50):
        loss = F.cross_entropy(net(X[rows]), y_train[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
with torch.no_grad():
    guess = net(X[test]).argmax(1)
print("result: %.4f" % (guess.numpy() == y_test.numpy()).mean())
