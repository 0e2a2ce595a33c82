import torch


def pca(x, keep):
    mean = x.mean(0)
    _, _, v = torch.linalg.svd(x - mean, full_matrices=False)
    return mean, v[:keep]


def kmeans(x, k, rounds=20):
    centres = x[torch.randperm(len(x))[:1]]
    for _ in range(k - 1):
        far = torch.cdist(x, centres).min(1).values
        centres = torch.cat([centres, x[far.argmax()][None]])
    for turn in range(rounds):
        distance = torch.cdist(x, centres)
        member = distance.argmin(1)
        centres = torch.stack([x[member == j].mean(0) for j in range(k)])
        if turn % 5 == 4:
            print(f"round {turn + 1} inertia {distance.min(1).values.pow(2).mean().item():.6f}")
    return centres


torch.manual_seed(82)
truth = torch.randint(0, 4, (1200,))
x = (3 * torch.randn(4, 12))[truth] + torch.randn(1200, 12)
train, test = slice(0, 900), slice(900, 1200)
mean, axes = pca(x[train], 3)
flat = (x - mean) @ axes.T
centres = kmeans(flat[train], 4)
member = torch.cdist(flat, centres).argmin(1)
names = torch.stack([truth[train][member[train] == j].mode().values for j in range(4)])
print(f"result: {(names[member[test]] == truth[test]).float().mean().item():.4f}")
