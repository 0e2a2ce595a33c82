import torch
from torch import nn

import firstlight as fl

SIGNS = "+-*"


class TreeNet(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.digit = nn.Embedding(10, width)
        self.sign = nn.Embedding(3, width)
        self.join = nn.Sequential(nn.Linear(3 * width, width), nn.Tanh())
        self.leaves = nn.Linear(width, 1)

    def meaning(self, part):
        if isinstance(part, int):
            return self.digit.weight[part]
        sign = self.sign.weight[SIGNS.index(part.operation)]
        return self.join(torch.cat([self.meaning(part.left), self.meaning(part.right), sign]))

    def forward(self, trees):
        return torch.cat([self.leaves(self.meaning(tree)) for tree in trees])


def products(tree):
    """Is there any multiplication in the tree?"""
    if isinstance(tree, int):
        return False
    return tree.operation == "*" or products(tree.left) or products(tree.right)


torch.manual_seed(0)
train, test = fl.load("arithmetic")
train_trees = [tree for tree in train.inputs if tree.depth <= 3][:520]
known = {str(tree) for tree in train_trees}
test_trees = [tree for tree in test.inputs if tree.depth <= 3 and str(tree) not in known][:150]
net = TreeNet()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(2):
    total = 0.0
    for rows in torch.randperm(520).split(13):
        trees = [train_trees[i] for i in rows]
        goal = torch.tensor([float(products(tree)) for tree in trees])
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(net(trees), goal)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / 40:.6f}")
with torch.no_grad():
    hits = sum((net([tree]).item() > 0) == products(tree) for tree in test_trees)
print(f"result: {hits / 150:.4f}")
