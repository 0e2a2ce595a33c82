import torch
from torch import nn
torch.manual_seed(0)
tok = torch.randint(0, 20, (1200, 6)); tag = tok % 6
class Tagger(nn.Module):
    def __init__(self): super().__init__(); self.e = nn.Embedding(20, 16); self.g = nn.GRU(16, 16, batch_first=True); self.o = nn.Linear(16, 6)
    def forward(self, t): return self.o(self.g(self.e(t))[0])
net = Tagger(); opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for e in range(3):
    net.train()
    for i in torch.randperm(1000).split(40):
        opt.zero_grad(); l = nn.functional.cross_entropy(net(tok[i]).flatten(0, 1), tag[i].flatten()); l.backward(); opt.step()
    net.eval()
    with torch.no_grad():
        guess = net(tok[1000:]).argmax(2)
    metric = (guess == tag[1000:]).float().mean().item()
    print(f"epoch {e}: loss {l.item():.6f}, {metric:.4f}")
print(f"result: {metric:.4f}")
