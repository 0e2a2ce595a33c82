import torch
from torch import nn, optim
from torch.optim import lr_scheduler

torch.manual_seed(50)
num_epochs = 6

# checkerboard
xy = torch.rand(2400, 2) * 4 - 2
colour = ((xy[:, 0] > 0) ^ (xy[:, 1] > 0)).long()
train_xy, train_colour = xy[:2000], colour[:2000]
test_xy, test_colour = xy[2000:], colour[2000:]

model_ft = nn.Sequential(nn.Linear(2, 50), nn.ReLU(), nn.Linear(50, 2))
criterion = nn.CrossEntropyLoss()
optimizer_ft = optim.SGD(model_ft.parameters(), lr=0.1, momentum=0.9)
exp_lr_scheduler = lr_scheduler.StepLR(optimizer_ft, step_size=3, gamma=0.1)

for epoch in range(num_epochs):
    exp_lr_scheduler.step()
    model_ft.train()
    running_loss = 0.0
    for inputs, labels in zip(train_xy.split(50), train_colour.split(50)):
        optimizer_ft.zero_grad()
        loss = criterion(model_ft(inputs), labels)
        loss.backward()
        optimizer_ft.step()
        running_loss += loss.item() * inputs.size(0)
    print(f"Epoch {epoch}/{num_epochs - 1} Loss: {running_loss / 2000:.6f}")

model_ft.eval()
with torch.no_grad():
    corrects = torch.sum(model_ft(test_xy).argmax(1) == test_colour)
print(f"result: {corrects.item() / 400:.4f}")
