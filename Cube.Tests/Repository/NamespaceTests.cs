using ArchUnitNET.Domain;
using ArchUnitNET.Loader;
using Assembly = System.Reflection.Assembly;

namespace Cube.Tests.Repository;

/// <summary>The dependencies between namespaces, read from the assemblies.</summary>
public sealed class NamespaceTests
{
    private static readonly string[] _projects =
        ["Cube.Agent", "Cube.AppHost", "Cube.Attestation", "cube-attest", "Cube.Authorization", "Cube.Database", "Cube.Http2", "Cube.Identity", "Cube.Inference", "Cube.Proxy", "Cube.ServiceDefaults"];

    public static TheoryData<string> Projects => [.. _projects];

    [Theory]
    [MemberData(nameof(Projects))]
    public void Namespaces_of_a_project_have_no_dependency_cycle(string project)
    {
        var edges = EdgesOf(project);
        var cyclic = edges.Keys.Where(space => Reachable(edges, space).Contains(space)).Order(StringComparer.Ordinal).ToList();
        Assert.True(cyclic.Count == 0, $"These namespaces depend on each other: {string.Join(", ", cyclic)}. Types among them: {string.Join("; ", TypesBetween(project, cyclic))}");
    }

    [Fact]
    public void The_inference_library_does_not_reference_ASP_NET() =>
        Assert.DoesNotContain(Assembly.Load("Cube.Inference").GetReferencedAssemblies(), static reference => reference.Name?.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal) is true);

    private static Dictionary<string, HashSet<string>> EdgesOf(string project)
    {
        var architecture = new ArchLoader().LoadAssembly(Assembly.Load(project)).Build();
        var edges = new Dictionary<string, HashSet<string>>(StringComparer.Ordinal);
        foreach (var type in architecture.Types)
        {
            var space = NamespaceOf(type);
            // Program.cs and generated types have no namespace of the project.
            if (!space.StartsWith("Cube.", StringComparison.Ordinal) || type.Name.StartsWith('<'))
            {
                continue;
            }

            var targets = edges.TryGetValue(space, out var known) ? known : edges[space] = new HashSet<string>(StringComparer.Ordinal);
            targets.UnionWith(type.Dependencies.Select(static dependency => dependency.Target).Where(target => target is not GenericParameter && type.Assembly.Equals(target.Assembly)).Select(NamespaceOf).Where(other => other != space && other.StartsWith("Cube.", StringComparison.Ordinal)));
        }

        return edges;
    }

    /// <returns>The pairs of types that cause the dependencies.</returns>
    private static IEnumerable<string> TypesBetween(string project, List<string> spaces) => new ArchLoader().LoadAssembly(Assembly.Load(project)).Build().Types
        .Where(type => spaces.Contains(NamespaceOf(type)))
        .SelectMany(type => type.Dependencies.Select(static dependency => dependency.Target).Where(target => target is not GenericParameter && NamespaceOf(target) != NamespaceOf(type) && spaces.Contains(NamespaceOf(target))).Select(target => $"{type.FullName} -> {target.FullName}"))
        .Distinct();

    private static string NamespaceOf(IType type) => type.Namespace?.FullName ?? "";

    private static HashSet<string> Reachable(Dictionary<string, HashSet<string>> edges, string start)
    {
        var (found, pending) = (new HashSet<string>(StringComparer.Ordinal), new Queue<string>(edges[start]));
        while (pending.TryDequeue(out var space))
        {
            if (found.Add(space) && edges.TryGetValue(space, out var next))
            {
                next.ToList().ForEach(pending.Enqueue);
            }
        }

        return found;
    }
}
