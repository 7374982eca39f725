# Relais in one image: `serve` (the relation server), `centre` (the payment centre), `migrate` and the other commands.
# It holds no PostgreSQL and no Redis: DATABASE_URL and REDIS_URL are needed.

FROM node:20.20-bookworm-slim AS build
WORKDIR /relais
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json ./
COPY scripts ./scripts
COPY config ./config
COPY src ./src
COPY simulators ./simulators
# The simulators are here for the compiler alone: main.ts names them. They do not reach the image.
RUN node scripts/build.mjs

FROM node:20.20-bookworm-slim AS packages
WORKDIR /relais
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --no-audit --no-fund && npm cache clean --force

FROM node:20.20-bookworm-slim
ENV NODE_ENV=production
WORKDIR /relais
COPY package.json ./
COPY --from=packages /relais/node_modules ./node_modules
COPY --from=build /relais/dist/src ./dist/src
COPY --from=build /relais/dist/config ./dist/config
# A number, so that a platform that demands it can see that this is not root.
USER 10001:10001
# Machines and wallets come in at http.port (set RELAIS_HTTP__HOST=0.0.0.0); SMPP goes out. Health: admin.port, on loopback.
EXPOSE 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8082/readyz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/src/main.js"]
CMD ["serve"]
