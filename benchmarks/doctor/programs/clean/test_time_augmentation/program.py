import torch
from torch import nn
import torch.nn.functional as F
import firstlight as fl


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 5, stride=3)
        self.drop = nn.Dropout(0.2)
        self.fc = nn.Linear(512, 10)

    def forward(self, x):
        return self.fc(self.drop(F.relu(self.conv(x)).flatten(1)))


class Shifted:
    """Answers for several shifts of each picture, averaged."""

    def __init__(self, model, shifts):
        self.model, self.shifts = model, shifts

    @torch.no_grad()
    def __call__(self, x):
        self.model.eval()
        return sum(self.model(x.roll(s, dims=(2, 3))).softmax(1) for s in self.shifts) / len(self.shifts)


torch.manual_seed(108)
train, test = fl.load("fashion_mnist_small")
images, labels = train[:2000]
model = Classifier()
opt = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(3):
    model.train()
    total = 0.0
    for rows in torch.randperm(2000).split(50):
        shift = tuple(torch.randint(-1, 2, (2,)).tolist())
        opt.zero_grad()
        loss = F.cross_entropy(model(images[rows].roll(shift, dims=(2, 3))), labels[rows])
        loss.backward()
        opt.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / 40:.6f}")
x, y = test[:800]
answer = Shifted(model, [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)])(x)
print(f"result: {(answer.argmax(1) == y).float().mean().item():.4f}")
