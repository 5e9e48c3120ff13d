/** What `kn beads verify` puts beside an overlay: a Dolt server, the lab, and who may talk to whom. */

/** A Kubernetes object, as it is applied. */
export type KubernetesObject = Record<string, unknown>;

export const DOLT = 'dolt';
export const LAB = 'beads-lab';
/** Of the Services: a Trigger reaches one at port 80 only. */
export const LAB_PORT = 80;
export const BOARD_PORT = 8082;
const DOLT_PORT = 3306;
const LAB_CONTAINER_PORT = 8080;
export const DATABASE = 'code';
const GRANTS = 'beads-verify-grants';

/** As the programs of this project run. */
const LOCKED_DOWN = {
  runAsNonRoot: true,
  runAsUser: 65_532,
  readOnlyRootFilesystem: true,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};

export interface WorldImages {
  image: string;
  doltImage: string;
}

/**
 * @param grants the files docs/grants*.sql by name.
 * @param password of both SQL users.
 */
export function worldObjects(
  { image, doltImage }: WorldImages,
  grants: Record<string, string>,
  password: string,
): KubernetesObject[] {
  return [
    ...server(
      DOLT,
      { [DOLT_PORT]: DOLT_PORT },
      {
        image: doltImage,
        // The image has an entry point of its own, which would make another root.
        command: ['dolt', 'sql-server', '--host=0.0.0.0', `--port=${DOLT_PORT}`],
        workingDir: '/data',
        env: [
          { name: 'HOME', value: '/data' },
          { name: 'DOLT_ROOT_HOST', value: '%' },
        ],
        volumeMounts: [{ name: 'data', mountPath: '/data' }],
        readinessProbe: { tcpSocket: { port: DOLT_PORT } },
        resources: { requests: { cpu: '50m', memory: '256Mi' }, limits: { memory: '1Gi' } },
      },
    ),
    ...server(
      LAB,
      { [LAB_PORT]: LAB_CONTAINER_PORT, [BOARD_PORT]: BOARD_PORT },
      {
        image,
        args: ['lab.cjs'],
        env: Object.entries({
          LAB_DOLT_HOST: DOLT,
          LAB_DOLT_PORT: String(DOLT_PORT),
          LAB_DATABASE: DATABASE,
          LAB_PASSWORD: password,
          GRANTS_DIR: '/grants',
        }).map(([name, value]) => ({ name, value })),
        volumeMounts: [{ name: 'grants', mountPath: '/grants', readOnly: true }],
        readinessProbe: { httpGet: { path: '/healthz', port: LAB_CONTAINER_PORT } },
        securityContext: LOCKED_DOWN,
        resources: { requests: { cpu: '25m', memory: '96Mi' }, limits: { memory: '256Mi' } },
      },
    ),
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: GRANTS }, data: grants },
    // The policies of an overlay name the namespaces of its own world, not of this one.
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'beads-verify' },
      spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'], ingress: [{}], egress: [{}] },
    },
  ];
}

/** @param ports of the Service, and of the container behind each. */
function server(
  name: string,
  ports: Record<number, number>,
  container: KubernetesObject,
): KubernetesObject[] {
  const labels = { 'app.kubernetes.io/name': name };
  const volumes = [
    { name: 'data', emptyDir: {} },
    { name: 'grants', configMap: { name: GRANTS } },
  ];
  const mounted = JSON.stringify(container['volumeMounts']);
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: {
        replicas: 1,
        // The data of a server are not for two.
        strategy: { type: 'Recreate' },
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            terminationGracePeriodSeconds: 5,
            containers: [{ name, ...container }],
            volumes: volumes.filter((volume) => mounted.includes(`"${volume.name}"`)),
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: {
        selector: labels,
        ports: Object.entries(ports).map(([port, targetPort]) => ({
          name: `p${port}`,
          port: Number(port),
          targetPort,
        })),
      },
    },
  ];
}
