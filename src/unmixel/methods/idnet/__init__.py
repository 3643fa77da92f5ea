"""ID-Net: interpretable deep disentangled unmixing.

References
----------
Borsoi, Erdoğmuş, Imbiriba, Learning Interpretable Deep Disentangled Neural Networks for Hyperspectral Unmixing,
IEEE Transactions on Computational Imaging, 2023, arXiv:2310.02340.
"""

from unmixel.methods.idnet.fitted import FittedIDNet
from unmixel.methods.idnet.method import METHOD, IDNet

__all__ = ["METHOD", "FittedIDNet", "IDNet"]
