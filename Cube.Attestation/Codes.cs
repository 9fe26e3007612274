namespace Cube.Attestation;

/// <summary>Stable reason codes of rejected Evidence. They appear in audit records, metrics and responses; their meaning never changes.</summary>
public static class Codes
{
    // Any evidence
    public const string Malformed = "malformed";
    public const string TooLarge = "too-large";
    public const string EvidenceType = "evidence-type";
    public const string EvidencePart = "evidence-part";
    public const string SimulatedNotAllowed = "simulated-not-allowed";
    public const string Internal = "internal";

    // Certificates and revocation lists
    public const string Pem = "pem";
    public const string Certificate = "certificate";
    public const string ChainLength = "chain-length";
    public const string ChainIssuer = "chain-issuer";
    public const string ChainSignature = "chain-signature";
    public const string ChainNotCa = "chain-not-ca";
    public const string ChainLeafIsCa = "chain-leaf-is-ca";
    public const string CertExpired = "cert-expired";
    public const string CertRevoked = "cert-revoked";
    public const string UntrustedRoot = "untrusted-root";
    public const string Crl = "crl";
    public const string CrlMissing = "crl-missing";
    public const string CrlIssuer = "crl-issuer";
    public const string CrlSignature = "crl-signature";
    public const string CrlExpired = "crl-expired";

    // AMD SEV-SNP
    public const string ReportSize = "report-size";
    public const string ReportVersion = "report-version";
    public const string SigAlgo = "sig-algo";
    public const string ReservedBits = "reserved-bits";
    public const string SigningKey = "signing-key";
    public const string LeafName = "leaf-name";
    public const string Product = "product";
    public const string ReportSignature = "report-signature";
    public const string ReportTcb = "report-tcb";
    public const string ChipId = "chip-id";
    public const string CspId = "csp-id";
    public const string GuestPolicy = "guest-policy";
    public const string Debug = "debug";
    public const string Vmpl = "vmpl";
    public const string ReportData = "report-data";
    public const string HostData = "host-data";
    public const string CertificateTable = "certificate-table";
    public const string UvmEndorsement = "uvm-endorsement";
    public const string UvmMeasurement = "uvm-measurement";

    // Intel TDX
    public const string NotAQuote = "not-a-quote";
    public const string QuoteSize = "quote-size";
    public const string QuoteVersion = "quote-version";
    public const string AkType = "ak-type";
    public const string TeeType = "tee-type";
    public const string QeVendor = "qe-vendor";
    public const string BodyType = "body-type";
    public const string SigDataSize = "sig-data-size";
    public const string CertType = "cert-type";
    public const string PckExtension = "pck-extension";
    public const string QeReportSignature = "qe-report-signature";
    public const string QeReportData = "qe-report-data";
    public const string QuoteSignature = "quote-signature";
    public const string TdDebug = "td-debug";
    public const string TdAttributes = "td-attributes";
    public const string CollateralMissing = "collateral-missing";
    public const string Collateral = "collateral";
    public const string RootCrlSignature = "root-crl-signature";
    public const string RootCrlExpired = "root-crl-expired";
    public const string PckCrlSignature = "pck-crl-signature";
    public const string PckCrlExpired = "pck-crl-expired";
    public const string TcbJson = "tcb-json";
    public const string TcbJsonSignature = "tcb-json-signature";
    public const string TcbJsonExpired = "tcb-json-expired";
    public const string QeJson = "qe-json";
    public const string QeJsonSignature = "qe-json-signature";
    public const string QeJsonExpired = "qe-json-expired";
    public const string TcbInfoMismatch = "tcbinfo-mismatch";
    public const string TdxModuleMismatch = "tdx-module-mismatch";
    public const string TdxModuleNotSupported = "tdx-module-not-supported";
    public const string QeIdentityMismatch = "qe-identity-mismatch";
    public const string QeNotSupported = "qe-not-supported";
    public const string TcbNotSupported = "tcb-not-supported";
    public const string TcbRevoked = "tcb-revoked";
    public const string EventLog = "event-log";
    public const string EventLogReplay = "event-log-replay";

    // vTPM
    public const string TpmQuote = "tpm-quote";
    public const string TpmMagic = "tpm-magic";
    public const string TpmSignatureFormat = "tpm-signature-format";
    public const string TpmQuoteSignature = "tpm-quote-signature";
    public const string TpmNonce = "tpm-nonce";
    public const string TpmPcrDigest = "tpm-pcr-digest";
    public const string TpmPcrMissing = "tpm-pcr-missing";
    public const string TpmPcrFormat = "tpm-pcr-format";
    public const string TpmAkFormat = "tpm-ak-format";
    public const string TpmAkAttributes = "tpm-ak-attributes";
    public const string TpmAkCertificate = "tpm-ak-certificate";

    // Azure
    public const string HclSignature = "hcl-signature";
    public const string HclSize = "hcl-size";
    public const string HclVersion = "hcl-version";
    public const string HclReportType = "hcl-report-type";
    public const string HclHashType = "hcl-hash-type";
    public const string HclReserved = "hcl-reserved";
    public const string HclRuntimeBinding = "hcl-runtime-binding";
    public const string HclRuntimeData = "hcl-runtime-data";
    public const string AzUserData = "az-user-data";
    public const string AzTdReport = "az-td-report";
    public const string AzTdQuoteBinding = "az-td-quote-binding";

    // Microsoft Azure Attestation
    public const string JwtFormat = "jwt-format";
    public const string JwtAlg = "jwt-alg";
    public const string JwtJku = "jwt-jku";
    public const string JwtKid = "jwt-kid";
    public const string JwtSignature = "jwt-signature";
    public const string JwtIssuer = "jwt-issuer";
    public const string JwtExpired = "jwt-expired";
    public const string JwtNotYetValid = "jwt-not-yet-valid";
    public const string JwtTooOld = "jwt-too-old";
    public const string JwtClaim = "jwt-claim";
    public const string MaaKeys = "maa-keys";
    public const string MaaType = "maa-type";
    public const string MaaNoIsolationTee = "maa-no-isolation-tee";
    public const string MaaCompliance = "maa-compliance";
    public const string MaaDebug = "maa-debug";
    public const string MaaSecureBoot = "maa-secureboot";
    public const string MaaTcb = "maa-tcb";
    public const string MaaNonce = "maa-nonce";
    public const string MaaNonceMissing = "maa-nonce-missing";

    // Google
    public const string GceEndorsement = "gce-endorsement";
    public const string GceRootMissing = "gce-root-missing";
    public const string GceCertificate = "gce-certificate";
    public const string GceSignature = "gce-signature";
    public const string GceMeasurement = "gce-measurement";

    // Policy
    public const string PolicyEmpty = "policy-empty";
    public const string PolicyMissing = "policy-missing";

    // Attested TLS
    public const string AtlsVersion = "atls-version";
    public const string AtlsFrame = "atls-frame";
    public const string AtlsTimeout = "atls-timeout";
    public const string AtlsNotTls = "atls-not-tls";
    public const string AtlsChannelBinding = "atls-channel-binding";
    public const string AtlsLeaseEnded = "atls-lease-ended";
    public const string AtlsEvidenceUnavailable = "atls-evidence-unavailable";
}
