"""What to cite for each way of finding endmembers."""

REFERENCES = {
    "vca": "Nascimento & Bioucas-Dias 2005, doi:10.1109/TGRS.2005.844293",
    "clusters": "unmixel's own, on k-means (Arthur & Vassilvitskii 2007)",
    "nfindr": "Winter 1999, doi:10.1117/12.366289",
    "atgp": "Ren & Chang 2003, doi:10.1109/TAES.2003.1261124",
    "spa": "Araújo et al. 2001, doi:10.1016/S0169-7439(01)00119-8; Gillis & Vavasis 2014, doi:10.1109/TPAMI.2013.226",
    "sisal": "Bioucas-Dias 2009, doi:10.1109/WHISPERS.2009.5289072",
    "evidence": "unmixel's own, on the evidence of Nascimento & Bioucas-Dias 2012, doi:10.1109/TGRS.2011.2163941",
}
"""The articles, by the name of the extractor."""
