import random
import torch
import math


class DynamicNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Parameter(torch.zeros(()))
        self.b = torch.nn.Parameter(0.1 * torch.randn(()))
        self.c = torch.nn.Parameter(torch.zeros(()))
        self.d = torch.nn.Parameter(0.01 * torch.randn(()))
        self.e = torch.nn.Parameter(torch.zeros(()))

    def forward(self, x):
        """Fourth and fifth order are there by chance; they share one number."""
        y = self.a + self.b * x + self.c * x ** 2 + self.d * x ** 3
        if self.training:
            for exp in range(4, random.randint(4, 6)):
                y = y + self.e * x ** exp
        return y

    def string(self):
        return f'y = {self.a.item():.3f} + {self.b.item():.3f} x + {self.c.item():.3f} x^2 + {self.d.item():.3f} x^3 + {self.e.item():.5f} x^4 ? + x^5 ?'


random.seed(2)
torch.manual_seed(2)
x = torch.linspace(-math.pi, math.pi, 2000)
y = torch.sin(x)
model = DynamicNet()
criterion = torch.nn.MSELoss(reduction='sum')
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for t in range(3000):
    y_pred = model(x)
    loss = criterion(y_pred, y)
    if t % 600 == 599:
        print(t, f'{loss.item():.6f}')
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(model.string())
model.eval()
test_x = (torch.rand(400) * 2 - 1) * math.pi
with torch.no_grad():
    rest = model(test_x) - torch.sin(test_x)
print(f'result: {1 - (rest.pow(2).mean() / torch.sin(test_x).var()).item():.4f}')
