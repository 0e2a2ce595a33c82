"""What a learner has in a cell while a test looks at the page, or a picture of it is taken."""

# Random expression trees: another graph at each step.
TREES = """\
import time, torch, firstlight as fl
from torch import nn
torch.manual_seed(0)
train, test = fl.load("arithmetic")
class Calculator(nn.Module):
    def __init__(self):
        super().__init__()
        self.digit = nn.Embedding(10, 16)
        self.operations = nn.ModuleDict({name: nn.Linear(32, 16) for name in ("plus", "minus", "times")})
        self.answer = nn.Linear(16, 1)
    def value(self, tree):
        if isinstance(tree, int):
            return self.digit(torch.tensor(tree))
        operation = self.operations[{"+": "plus", "-": "minus", "*": "times"}[tree.operation]]
        return torch.tanh(operation(torch.cat([self.value(tree.left), self.value(tree.right)])))
    def forward(self, tree):
        return self.answer(self.value(tree))
model = Calculator()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)"""
