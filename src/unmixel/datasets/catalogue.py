"""The public scenes that unmixel knows by name: where their files are, and what their truth is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from unmixel.errors import DatasetError

TruthKind = Literal["exact", "independent", "derived", "none"]
Convention = Literal["physical", "max-normalised endmembers", "none"]


@dataclass(frozen=True, kw_only=True)
class PublicScene:
    """A public scene.

    Parameters
    ----------
    name : str
        Name for `open_dataset`.
    title : str
        Sensor, place and size.
    truth : str
        What is known about the scene, and how.
    truth_kind : str
        "exact" (simulated), "independent" (measured on the ground), "derived" (some unmixing of the scene
        itself: agreement with it is agreement with that unmixing) or "none".
    convention : str
        "physical" if the abundances of the truth are area fractions, "max-normalised endmembers" if they
        belong to endmembers that were scaled to a maximum of 1 first (see
        `unmixel.metrics.to_max_normalised_convention`).
    citation : str
        What to cite.
    address : str
        Folder of the files on the web, at a fixed version.
    files : mapping of str to (str, str)
        Path in the scene's folder: path at the address and SHA-256.
    folder : str
        The scene's folder within UNMIXEL_DATA_DIR.
    """

    name: str
    title: str
    truth: str
    truth_kind: TruthKind
    convention: Convention
    citation: str
    address: str
    files: Mapping[str, tuple[str, str]]
    folder: str

    def url(self, file: str) -> str:
        """Return the public address of one of the files."""
        return f"{self.address}/{quote(self.files[file][0])}"

    def sha256(self, file: str) -> str:
        """Return the SHA-256 of one of the files."""
        return self.files[file][1]


_SAMSON_ADDRESS = (
    "https://raw.githubusercontent.com/burknipalsson/hu_autoencoders/8fa704ef8a82cf7f03981392204fe8cd872b0ccf"
)
_MISICNET_ADDRESS = "https://raw.githubusercontent.com/BehnoodRasti/MiSiCNet/1bc6afc1b0d4dece712825a19ffe67655509ca0b"
_PGMSU_ADDRESS = "https://raw.githubusercontent.com/shuaikaishi/PGMSU/a33e631811fcccf0bab515f693262ec35c3e5f3e"
_HYSU_ADDRESS = (
    "https://raw.githubusercontent.com/XanderHaijen/two_step_lmm/5ec61783d15ed17cbc317e1ab1b15769cdbff026"
    "/MATLAB_scripts/DLR_HySU"
)
_HAPKE_ADDRESS = "https://raw.githubusercontent.com/BehnoodRasti/HapkeCNN/f9747e73bd357a15305c9fec1995526c52e6a351"
_EMIT_ADDRESS = "https://raw.githubusercontent.com/emit-sds/SpectralUnmixing/84a6414f6f5644eca325959a0a0bee73824b05a3"
_ROIS = "HySpex/all_targets/TargetsROIs/ENVI"
_IMAGE_LIBRARY = "spectral_libraries/HySpex_library/DLR_HySU_HS_library"
_FIELD_LIBRARY = "spectral_libraries/SVC_data/DLR_HySU_SVC"

_SCENES = (
    PublicScene(
        name="samson",
        title="Samson: airborne, 95 x 95 pixels, 156 bands, 401-889 nm; soil, tree, water",
        truth="abundances and spectra from the scene itself (NNLS over its sum)",
        truth_kind="derived",
        convention="max-normalised endmembers",
        citation="Zhu et al., ISPRS J. Photogramm. Remote Sens. 88, 2014; this copy: Palsson et al., "
        "IEEE J. Sel. Top. Appl. Earth Obs. Remote Sens. 15, 2022",
        address=_SAMSON_ADDRESS,
        folder="samson",
        files={
            "Samson.mat": (
                "Datasets/Samson.mat",
                "49530e80d0dabf6b1fb9cde2d6cf257f89a344afe9c13b2cc912eb22f344de18",
            )
        },
    ),
    PublicScene(
        name="samson_alternative",
        title="Samson with the other truth in use: 95 x 95 pixels, 156 bands; soil, tree, water",
        truth="abundances and spectra from the scene itself (FCLS); RMSE 0.23 from those of 'samson'",
        truth_kind="derived",
        convention="physical",
        citation="Rasti et al., IEEE Trans. Geosci. Remote Sens. 60, 2022, doi:10.1109/TGRS.2022.3146904",
        address=_MISICNET_ADDRESS,
        folder="samson/alternative_truth",
        files={
            "Y_clean.mat": (
                "HS Data/Samson/Y_clean.mat",
                "6a55839368ebd470ec075ae32ba1676d1fbabc3584cb369d457e16e9a1a531bd",
            ),
            "A_true.mat": (
                "HS Data/Samson/A_true.mat",
                "d149ce0ff3f7a0b7877e27707e4b38ab4c76984d18541f10500ae7f6ddfda59d",
            ),
            "E.mat": (
                "HS Data/Samson/E.mat",
                "4a1faf067e354704d9a26ff954182b00f604762f12a610a2316ffd6b9d68e690",
            ),
        },
    ),
    PublicScene(
        name="jasper_ridge",
        title="Jasper Ridge: AVIRIS, 100 x 100 pixels, 198 bands, 399-2457 nm; tree, water, dirt, road",
        truth="abundances and spectra from the scene itself (NNLS over its sum)",
        truth_kind="derived",
        convention="max-normalised endmembers",
        citation="Zhu et al., IEEE Trans. Image Process. 23(12), 2014; this copy: Shi et al., "
        "IEEE Trans. Geosci. Remote Sens. 60, 2022",
        address=_PGMSU_ADDRESS,
        folder="jasper_ridge",
        files={
            "JasperRidge2_R198.mat": (
                "dataset/JasperRidge2_R198.mat",
                "0e4118a6452f6044978a8ca3762fb0f791115467904936d463c4e111e56e682e",
            ),
            "JasperRidge2_end4.mat": (
                "dataset/JasperRidge2_end4.mat",
                "92f5697b43705802b904fd13ba99b6ce65a3d203682864abc3fbec922beec374",
            ),
        },
    ),
    PublicScene(
        name="dlr_hysu",
        title="DLR HySU: HySpex, Oberpfaffenhofen, 86 x 123 pixels of 0.7 m, 135 bands, 417-903 nm, UTM 32N",
        truth="five materials laid out in squares of 9, 4, 1, 0.25 and 0.0625 m2 (dlr_hysu_targets)",
        truth_kind="independent",
        convention="physical",
        citation="Cerra et al., Remote Sens. 13(13), 2559, 2021, doi:10.3390/rs13132559",
        address=_HYSU_ADDRESS,
        folder="dlr_hysu",
        files={
            "DLR_HySU_HS_full.tif": (
                "HySpex/full/DLR_HySU_HS_full.tif",
                "37a49d9e21df46fc7ae41f53167de0c2aceed06e028c48239893e206f8c4ccf8",
            ),
            "DLR_HySU_HS_full.hdr": (
                "HySpex/full/DLR_HySU_HS_full.hdr",
                "dd948c0bf51016fe604c1242b7b2d36b5ed9b5fbf2fd1235cfb173b5f3d86df2",
            ),
            "libraries/DLR_HySU_HS_library.hdr": (
                f"{_IMAGE_LIBRARY}.hdr",
                "5414cfa1618d12ed96aa73216cdad3f6ad31f2cb9e85754616433089d5515ec4",
            ),
            "libraries/DLR_HySU_HS_library.lib": (
                f"{_IMAGE_LIBRARY}.lib",
                "3b1f89e239a8b0a417aba026bc61ece9b64a0c9283266592a5aeddc45ff02b6d",
            ),
            "libraries/DLR_HySU_SVC.hdr": (
                f"{_FIELD_LIBRARY}.hdr",
                "3359777883e47751ca193404c0ec68b08303c32cb70edc375bc018bbfd60d7cb",
            ),
            "libraries/DLR_HySU_SVC.lib": (
                f"{_FIELD_LIBRARY}.lib",
                "75a175222b46cb296531f387ffe9c4ce02a46234d82941f9ca6c10e8790db500",
            ),
            "rois/bitumen": (
                f"{_ROIS}/bitumen",
                "2c51cac355cc8aa5d16ed385cf2258a47f809c2f616852c5efde5934c5616078",
            ),
            "rois/blueFabric": (
                f"{_ROIS}/blueFabric",
                "91cf06e3e8b05f37d081a4818e27cd514c65866582b10ab4e83db767f7c9be0a",
            ),
            "rois/greenFabric": (
                f"{_ROIS}/greenFabric",
                "108b195ca3c7a1cdf0f43c5307b296e161a80cfd0a89382a475f07a0afcea6d3",
            ),
            "rois/redFabric": (
                f"{_ROIS}/redFabric",
                "f7a427fc0b0c354794d712dbcb45fe5025d62272f2d8f675f212e28b2acd6c92",
            ),
            "rois/redMetal": (
                f"{_ROIS}/redMetal",
                "f09e1e1b87608dea0305601fdb5e34a5e21c83fa3499f1e92d3647c52fdb4367",
            ),
            "rois/targetsSizeROI": (
                f"{_ROIS}/targetsSizeROI",
                "a9b2df262ce3ba9f455d4cf414a348f6fb47ce82aad07d8cd8f78afe31b65700",
            ),
        },
    ),
    PublicScene(
        name="hapke_sim1",
        title="Simulated intimate (Hapke) mixture of six minerals, 105 x 105 pixels, 224 bands",
        truth="abundances and spectra it was made of; the mixing is far from linear",
        truth_kind="exact",
        convention="physical",
        citation="Rasti, Koirala, Scheunders, HapkeCNN, IEEE Trans. Geosci. Remote Sens. 60, 2022",
        address=_HAPKE_ADDRESS,
        folder="hapke_sim1",
        files={
            "Y_clean.mat": (
                "Git_Data/Simulated1/Y_clean.mat",
                "31b9355cc3c928051878388ffc32b7e3293e213161836e40c059e705e7c5ceca",
            ),
            "A_true.mat": (
                "Git_Data/Simulated1/A_true.mat",
                "bc91b7a884022382561393bd809a9e30673ba63d48bafed4b761a804b26cb5bd",
            ),
            "E.mat": (
                "Git_Data/Simulated1/E.mat",
                "c289941f746b01f48f6be65792c2cda40ab91d8353349957f10c620b9a8a7321",
            ),
        },
    ),
    PublicScene(
        name="emit_jpl",
        title="EMIT over the Jet Propulsion Laboratory: 10 x 10 pixels, 285 bands, 381-2493 nm",
        truth="none",
        truth_kind="none",
        convention="none",
        citation="EMIT L2A reflectance, NASA JPL; cut out by emit-sds/SpectralUnmixing",
        address=_EMIT_ADDRESS,
        folder="emit_jpl",
        files={
            "emit20250324t221005_jpl_unmix_ex": (
                "data/emit20250324t221005_jpl_unmix_ex",
                "823c0cae83a612e795589054b05fe17335f15fcb8dbe542472fc070a005497ab",
            ),
            "emit20250324t221005_jpl_unmix_ex.hdr": (
                "data/emit20250324t221005_jpl_unmix_ex.hdr",
                "a67ad890f664879e9b369f0448b1d978278ab7623f6517249fb7101022956fa4",
            ),
            "basic_endmember_library.csv": (
                "data/basic_endmember_library.csv",
                "d1a54024d0813a395f57b5ebc981796c55ac5c4e2536fa57ee5169d48129b3a3",
            ),
        },
    ),
)
CATALOGUE = {scene.name: scene for scene in _SCENES}


def list_datasets() -> list[str]:
    """Return the names of the public scenes.

    Examples
    --------
    >>> list_datasets()
    ['samson', 'samson_alternative', 'jasper_ridge', 'dlr_hysu', 'hapke_sim1', 'emit_jpl']
    """
    return list(CATALOGUE)


def describe(name: str) -> PublicScene:
    """Return what is known about a public scene.

    Raises
    ------
    DatasetError
        If there is no scene of that name.

    Examples
    --------
    >>> describe("samson").truth_kind
    'derived'
    >>> describe("samson_alternative").url("E.mat")[-23:]
    '/HS%20Data/Samson/E.mat'
    """
    if name not in CATALOGUE:
        raise DatasetError(f"dataset {name!r}", f"one of {', '.join(CATALOGUE)}")
    return CATALOGUE[name]
