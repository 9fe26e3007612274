using System.Text;
using Cube.Attestation.Parsing;
using Cube.Attestation.Policy;
using Cube.Proxy.Configuration.Catalogs;
using Cube.Proxy.Configuration.Routes;

namespace Cube.Tests.Attestation.Policy;

/// <summary>Stored policies can be loaded and satisfied.</summary>
public sealed class PolicyValidationTests
{
    private static readonly string _hex96 = new('a', 96);

    [Theory]
    [InlineData("+<>&'é/漢")]
    [InlineData("\u2028\u007f\u0001\"\\")]
    public void A_written_policy_parses_to_the_same_policy_and_plain_text_does_not_grow(string text)
    {
        var policy = new AttestationPolicy { Types = ["simulated"], Tdx = new TdxPolicy { AllowedAdvisories = [text] } };
        var written = PolicyJson.Write(policy, allowSimulated: true);
        Assert.Equal(text, PolicyJson.Parse(Encoding.UTF8.GetBytes(written), allowSimulated: true).Tdx!.AllowedAdvisories!.Single());
        Assert.DoesNotContain("\\u002B", written, StringComparison.Ordinal);
    }

    [Fact]
    public void The_size_limit_applies_to_the_stored_text()
    {
        static AttestationPolicy Policy(string text) => new() { Types = ["simulated"], Tdx = new TdxPolicy { AllowedAdvisories = [text] } };
        Assert.NotEmpty(PolicyJson.Write(Policy(new string('+', 200_000)), allowSimulated: true));
        Assert.Throws<PolicyException>(() => PolicyJson.Write(Policy(new string('\u0001', 200_000)), allowSimulated: true));
    }

    [Theory]
    [InlineData("""{"types":[null]}""")]
    [InlineData("""{"types":["simulated"],"bindings":[null]}""")]
    [InlineData("""{"types":["simulated"],"snp":null}""")]
    [InlineData("""{"types":["simulated"],"snp":{"measurements":[null]}}""")]
    [InlineData("""{"types":["simulated"],"snp":{"id_keys":[null]}}""")]
    [InlineData("""{"types":["simulated"],"snp":{"id_keys":[{"digest":null,"minimum_guest_svn":0}]}}""")]
    [InlineData("""{"types":["simulated"],"snp":{"uvm":{"feed":null,"minimum_svn":0}}}""")]
    [InlineData("""{"types":["simulated"],"snp":{"products":[null]}}""")]
    [InlineData("""{"types":["simulated"],"snp":{"minimum_tcb":{"Milan":null}}}""")]
    [InlineData("""{"types":["simulated"],"snp":{"host_data":[null]}}""")]
    [InlineData("""{"types":["simulated"],"snp":{"csp_ids":[null]}}""")]
    [InlineData("""{"types":["simulated"],"tdx":{"mr_tds":[null]}}""")]
    [InlineData("""{"types":["simulated"],"tdx":{"rtmrs":{"0":null}}}""")]
    [InlineData("""{"types":["simulated"],"tdx":{"rtmrs":{"0":[null]}}}""")]
    [InlineData("""{"types":["simulated"],"tdx":{"tcb_statuses":[null]}}""")]
    [InlineData("""{"types":["simulated"],"tdx":{"allowed_advisories":[null]}}""")]
    [InlineData("""{"types":["simulated"],"azure":{"pcrs":{"sha256":null}}}""")]
    [InlineData("""{"types":["simulated"],"azure":{"pcrs":{"sha256":{"0":[null]}}}}""")]
    [InlineData("""{"types":["simulated"],"maa":{"issuers":[null]}}""")]
    [InlineData("""{"types":["simulated"],"maa":{"measurements":[null]}}""")]
    public void A_policy_with_a_null_is_rejected(string policy) =>
        Assert.Throws<PolicyException>(() => PolicyJson.Parse(Encoding.UTF8.GetBytes(policy), allowSimulated: true));

    [Theory]
    [InlineData("""{"target_url":null,"default_rule":true}""")]
    [InlineData("""{"target_url":"https://x","matchers":[null]}""")]
    [InlineData("""{"target_url":"https://x","matchers":[{"condition":null,"pattern":"/"}]}""")]
    [InlineData("""{"target_url":"https://x","matchers":[{"condition":"header","field":null,"pattern":"/"}]}""")]
    [InlineData("""{"target_url":"https://x","matchers":[{"condition":"path","pattern":null}]}""")]
    [InlineData("""{"target_url":"https://x","matchers":[{"condition":"path","pattern":"\u0000"}]}""")]
    [InlineData("""{"target_url":"https://x","matchers":[{"condition":"header","field":"\u0000","pattern":"x"}]}""")]
    public void A_route_with_a_null_value_or_an_unstorable_character_is_rejected(string route) =>
        Assert.Throws<RouteException>(() => RouteJson.Read(Encoding.UTF8.GetBytes(route), "x"));

    [Fact]
    public void A_null_policy_removes_the_policy_of_a_route() =>
        Assert.Equal(System.Text.Json.JsonValueKind.Null, RouteJson.Read("""{"target_url":"https://x","default_rule":true,"policy":null}"""u8, "x").Policy.ValueKind);

    [Theory]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("[null]")]
    [InlineData("""[{"id":null,"model":"a"}]""")]
    [InlineData("""[{"id":"a"}]""")]
    [InlineData("""[{"id":"a","model":"a"},{"id":"a","model":"a"}]""")]
    [InlineData("""[{"id":"../a","model":"a"}]""")]
    [InlineData(null)]
    public void The_rules_for_sent_catalogues_apply_to_stored_ones(string? stored) =>
        Assert.Throws<CatalogException>(() => CatalogJson.ReadStored(stored));

    [Theory]
    [InlineData("1", null)]
    [InlineData("""{"a":[1,{"b":null}]}""", "$.a[1].b")]
    [InlineData("""[[[null]]]""", "$[0][0][0]")]
    [InlineData("""{"policy":{"policy":null}}""", "$.policy.policy")]
    [InlineData("""{"policy":null}""", "$.policy")]
    public void A_null_is_found_at_every_depth(string json, string? path) => Assert.Equal(path, JsonNulls.Find(Encoding.UTF8.GetBytes(json)));

    [Theory]
    [InlineData("""{"types":[]}""")]
    [InlineData("{}")]
    [InlineData("""{"types":["simulated"],"bindings":["certificate"]}""")]
    [InlineData("""{"types":["sev-snp"],"snp":{"measurements":["HEX"],"id_keys":[]}}""")]
    [InlineData("""{"types":["sev-snp"],"snp":{"measurements":["HEX"],"host_data":[]}}""")]
    [InlineData("""{"types":["sev-snp"],"snp":{"measurements":["HEX"],"chip_ids":[]}}""")]
    [InlineData("""{"types":["sev-snp"],"snp":{"measurements":["HEX"],"author_keys":[]}}""")]
    [InlineData("""{"types":["sev-snp"],"snp":{"measurements":["HEX"],"products":[]}}""")]
    [InlineData("""{"types":["sev-snp"],"snp":{"measurements":["HEX"],"minimum_tcb":{}}}""")]
    [InlineData("""{"types":["sev-snp"],"snp":{"measurements":["HEX"],"products":["Genoa"],"minimum_tcb":{"Milan":{"snp":1}}}}""")]
    [InlineData("""{"types":["sev-snp"],"snp":{"measurements":["HEX"],"guest_policy":0}}""")]
    [InlineData("""{"types":["sev-snp"],"snp":{"measurements":["HEX"],"guest_policy":655360}}""")]
    [InlineData("""{"types":["sev-snp"],"snp":{"measurements":["HEX"],"guest_policy":393216}}""")]
    [InlineData("""{"types":["tdx"],"tdx":{"mr_tds":["HEX"],"mr_seams":[]}}""")]
    [InlineData("""{"types":["tdx"],"tdx":{"mr_tds":["HEX"],"rtmrs":{"1":[]}}}""")]
    [InlineData("""{"types":["tdx"],"tdx":{"mr_tds":["HEX"],"minimum_qe_svn":65536}}""")]
    [InlineData("""{"types":["tdx"],"tdx":{"mr_tds":["HEX"],"td_attributes":"0100001000000000"}}""")]
    [InlineData("""{"types":["tdx"],"tdx":{"mr_tds":["HEX"],"td_attributes":"0000000000000000"}}""")]
    [InlineData("""{"types":["tdx"],"tdx":{"mr_tds":["HEX"],"td_attributes":"0000003000000000"}}""")]
    [InlineData("""{"types":["tdx"],"tdx":{"google_launch":{"minimum_svn":1}}}""")]
    [InlineData("""{"types":["tdx"],"tdx":{"google_launch":{"vcpus":4}}}""")]
    [InlineData("""{"types":["maa"],"maa":{"issuers":["https://x"],"tee":"tdxvm","id_keys":[{"digest":"HEX","minimum_guest_svn":0}]}}""")]
    [InlineData("""{"types":["azure-tdx"],"tdx":{"mr_tds":["HEX"]},"azure":{"pcrs":{"sha256":{"4":[]}}}}""")]
    public void A_policy_that_no_machine_can_satisfy_is_not_stored(string policy) => Assert.Throws<PolicyException>(() =>
        PolicyJson.Write(PolicyJson.Parse(Encoding.UTF8.GetBytes(policy.Replace("HEX", _hex96, StringComparison.Ordinal)), allowSimulated: true), allowSimulated: true));

    [Theory]
    [InlineData("""{"types":["sev-snp"],"snp":{"measurements":["HEX"],"csp_ids":[],"guest_policy":131072,"minimum_tcb":{"Milan":{"snp":1}}}}""")]
    [InlineData("""{"types":["tdx"],"tdx":{"mr_tds":["HEX"],"allowed_advisories":[],"td_attributes":"0000001000000000","rtmrs":{}}}""")]
    [InlineData("""{"types":["tdx"],"tdx":{"google_launch":{}}}""")]
    public void A_policy_that_a_machine_can_satisfy_is_stored(string policy) =>
        Assert.NotEmpty(PolicyJson.Write(PolicyJson.Parse(Encoding.UTF8.GetBytes(policy.Replace("HEX", _hex96, StringComparison.Ordinal)), allowSimulated: true), allowSimulated: true));
}
