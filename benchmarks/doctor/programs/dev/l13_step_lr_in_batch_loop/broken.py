import numpy as np
import torch
from torch.optim.lr_scheduler import StepLR

rs = np.random.RandomState(3)
torch.manual_seed(3)

stencils = (rs.rand(10, 8, 8) < 0.35).astype(np.float32)
labels = rs.randint(10, size=2500)
images = stencils[labels] + rs.normal(0, 0.6, (2500, 8, 8)).astype(np.float32)
images = torch.from_numpy(images).flatten(1)
labels = torch.from_numpy(labels)

model = torch.nn.Sequential(torch.nn.Linear(64, 100), torch.nn.ReLU(), torch.nn.Linear(100, 10))
loss_fn = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.5)
scheduler = StepLR(optimizer, step_size=2, gamma=0.5)

for epoch in range(6):
    total = 0.0
    for i in torch.randperm(2000).split(80):
        loss = loss_fn(model(images[i]), labels[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / 25:.6f} lr {scheduler.get_last_lr()[0]:.3g}")

with torch.no_grad():
    correct = (model(images[2000:]).argmax(dim=1) == labels[2000:]).sum().item()
print(f"result: {correct / 500:.4f}")
