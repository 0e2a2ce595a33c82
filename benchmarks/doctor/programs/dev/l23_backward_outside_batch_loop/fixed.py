import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)

corners = torch.tensor([[0., 0.], [3., 0.], [0., 3.], [3., 3.], [1.5, 1.5]])
c = torch.randint(0, 5, (2000,))
p = corners[c] + torch.randn(2000, 2) * 0.45
trainset = TensorDataset(p[:1600], c[:1600])
testset = TensorDataset(p[1600:], c[1600:])
trainloader = DataLoader(trainset, batch_size=32, shuffle=True)
testloader = DataLoader(testset, batch_size=100, shuffle=False)

net = nn.Sequential(nn.Linear(2, 20), nn.ReLU(), nn.Linear(20, 5))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)

for epoch in range(6):
    running = 0.0
    for data in trainloader:
        points, labels = data
        optimizer.zero_grad()
        outputs = net(points)
        loss = criterion(outputs, labels)
        running += loss.item()
        loss.backward()
        optimizer.step()
    print("[%d] loss: %.6f" % (epoch + 1, running / len(trainloader)))

correct = 0
total = 0
with torch.no_grad():
    for data in testloader:
        points, labels = data
        _, predicted = torch.max(net(points), 1)
        total += labels.size(0)
        correct += (predicted == labels).sum().item()
print("result: %.4f" % (correct / total))
