using System.Text;
using CsCheck;
using Cube.Proxy.Configuration.Routes;
using Cube.Proxy.Edge;
using Cube.Tests.Systems;
using Microsoft.AspNetCore.Http;

namespace Cube.Tests.Proxy;

/// <summary>The indexed table finds the same route as an evaluation of all routes in their order.</summary>
public sealed class RouteTableTests
{
    /// <summary>Mostly equal values, so that several routes match a request.</summary>
    private static readonly string[] _values = ["a", "a", "a", "b", "A", "", "1", "true", "/v1/chat/completions"];
    private static readonly string[] _fields = ["x-team", "X-Team", "model", "meta.team"];

    private static readonly Gen<MatcherDefinition> _matcher = Gen.Select(Gen.Int[0, 5], Gen.Int[0, 3], Gen.Int[0, 8], Gen.Int[0, 3]).Select(static (condition, field, value, regex) =>
        (MatchCondition)condition == MatchCondition.BodyRegex
            ? new MatcherDefinition(MatchCondition.BodyRegex, null, "\"model\":\"[ab]\"", true)
            : new MatcherDefinition((MatchCondition)condition, _fields[field], _values[value].Length == 0 ? "b" : _values[value], regex == 0));

    private static readonly Gen<RouteDefinition> _route = Gen.Select(_matcher.Array[1, 2], Gen.Int[0, 3], Gen.Bool).Select(static (matchers, priority, isEnabled) => new RouteDefinition
    {
        Name = "", TargetUrl = "https://agent", Matchers = matchers, Priority = priority, Enabled = isEnabled,
    });

    private static readonly Gen<(string Header, string Query, string Body)> _request = Gen.Select(Gen.Int[0, 8], Gen.Int[0, 8], Gen.Int[0, 7]).Select(static (header, query, body) => (_values[header], _values[query], body switch
    {
        0 => """{"model":"a","meta":{"team":"b"}}""",
        1 => """{"meta":{"team":true,"x":1},"model":1}""",
        2 => """{"model":"b","model":"a"}""",
        3 => """{"x-team":"a","meta":"b"}""",
        4 => """{"model":"a" """,
        5 => """{"model":"\ud800"}""",
        6 => "",
        _ => """{"meta":{"team":{"a":1}},"model":"A"}""",
    }));

    [Fact]
    public void Random_routes_and_requests_are_matched_as_by_an_evaluation_of_all_routes() =>
        Gen.Select(_route.Array[0, 12], _request.Array[1, 5]).Sample((definitions, requests) =>
        {
            var routes = definitions.Select(static (definition, i) => new Route(Guid.NewGuid(), 1, definition with { Name = $"route-{i:D2}" })).ToList();
            var table = new RouteTable(routes);
            foreach (var (header, query, body) in requests)
            {
                var context = new DefaultHttpContext();
                context.Request.Method = "POST";
                context.Request.Headers["x-team"] = header;
                context.Request.QueryString = QueryString.Create("model", query);
                var request = new RouteRequest(context.Request, new DomainPathFeature(Guid.Empty, "/v1/chat/completions"), Encoding.UTF8.GetBytes(body));
                var expected = routes.Where(static route => route.Definition.Enabled).OrderByDescending(static route => route.Definition.Priority).ThenBy(static route => route.Name, StringComparer.Ordinal)
                    .FirstOrDefault(route => route.Matches(request));
                Assert.Same(expected, table.Find(request));
            }
        }, iter: TestLevel.Pick(5_000, 100_000));

    [Fact]
    public void The_default_route_takes_what_no_other_route_matches()
    {
        var special = new Route(Guid.NewGuid(), 1, new RouteDefinition { Name = "special", TargetUrl = "https://a", Matchers = [new(MatchCondition.Header, "x-team", "red")] });
        var usual = new Route(Guid.NewGuid(), 1, new RouteDefinition { Name = "usual", TargetUrl = "https://b", DefaultRule = true });
        var table = new RouteTable([usual, special]);
        var context = new DefaultHttpContext();
        var request = new RouteRequest(context.Request, new DomainPathFeature(Guid.Empty, "/v1/models"), default);
        Assert.Same(usual, table.Find(request));
        context.Request.Headers["X-TEAM"] = "red";
        Assert.Same(special, table.Find(request));
    }
}
